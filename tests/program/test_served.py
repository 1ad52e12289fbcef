"""What a result says of a DRAM whose commands were simulated."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from accelsim.arch import load_arch
from accelsim.cli import main
from accelsim.memory.setup import device_of
from accelsim.program.text import render_program
from accelsim.result import Result
from accelsim.simulate import executed, load_named, simulate
from accelsim.workload import load_workload
from tests.arch.test_dram import SAID, written

SMALL = ("B=1", "H=2", "E=32", "F=32", "M=256", "P=128")


def small(depth: str, *overrides: str) -> Result:
    return simulate(*load_named("edge-lpddr5", "attention", (*SMALL, *overrides)), depth=depth)


def test_every_burst_is_accounted_for() -> None:
    """Hits, misses and conflicts are the bursts; the bytes are those of the closed form, and fit into them."""
    result = small("cycle")
    actions = result.actions["dram.commands"]
    bursts = actions["row_hits"] + actions["row_misses"] + actions["row_conflicts"]
    assert bursts == actions["RD"] + actions["WR"]
    assert actions["ACT"] == actions["row_misses"] + actions["row_conflicts"]
    assert actions["refreshes"] == actions["REFab"]
    moved = result.traffic["dram"]
    assert actions["RD"] * 32 >= sum(transfer.read for transfer in moved.values())
    assert actions["WR"] * 32 == sum(transfer.write for transfer in moved.values()), "rows of AV are whole bursts"
    assert moved == small("analytic").traffic["dram"]


def test_bound_below_cycle_and_commands_above_bandwidth() -> None:
    """The pins are what `bound` counts with; rows, turns and refresh come on top of the bandwidth alone."""
    bound, commands = small("bound"), small("cycle")
    alone = small("cycle", "levels.dram.dram.model=bandwidth")
    assert bound.seconds <= alone.seconds < commands.seconds
    assert "dram.commands" not in alone.actions


def test_skipping_is_asked_for_in_vain() -> None:
    found = load_named("edge-lpddr5", "attention", SMALL)
    quick, timed = executed(*found)
    full, all_of_it = executed(*found, skip=False)
    assert (quick.seconds, quick.waits, quick.actions) == (full.seconds, full.waits, full.actions)
    assert timed.run == all_of_it.run
    assert render_program(timed.program) == render_program(all_of_it.program)


def test_waits_name_the_level() -> None:
    """With a quarter of the channels most of the path leads over them; path and idle cycles add up to the run."""
    result = small("cycle", "levels.dram.dram.channels=1", "levels.dram.bandwidth=12.8 GB/s")
    assert result.waits is not None
    assert result.cycles_exact is not None
    assert sum(wait.cycles for wait in result.waits.path) == result.cycles_exact
    assert result.bound_by == "dram"
    assert result.waits.path[0].cause == "dram"
    assert sum(wait.cycles for wait in result.waits.path if wait.what == "latency") < result.cycles_exact / 20


def test_where_no_energies_are_known_those_of_accesses_stay() -> None:
    commands, analytic = small("cycle"), small("analytic")
    assert commands.energy_by == analytic.energy_by
    assert commands.scope == analytic.scope
    (note,) = (note for note in commands.notes if note.startswith("dram: "))
    assert note.startswith("dram: 4 channels of LPDDR5_16Gb_x16 at LPDDR5_6400 by their commands, executed in full: ")
    assert note.endswith("; LPDDR5 has no energies, so that they are those of accesses")
    assert commands.provenance["dram"] == (
        "LPDDR5 4 channels of LPDDR5_16Gb_x16 at LPDDR5_6400, map ro ba ra co bg pc ch, queue 32, page open, "
        "refresh all-bank"
    )


def test_energies_of_commands_take_the_place_of_those_of_accesses(tmp_path: Path) -> None:
    """909 pJ for each row that is opened, 891 for each burst of 32 bytes: 256 bit at 3.48 pJ."""
    arch = load_arch(written(tmp_path, SAID))
    workload = load_workload("attention", SMALL)
    result = simulate(arch, workload, depth="cycle")
    actions, energy = result.actions["dram.commands"], result.energy_by
    assert energy is not None
    assert energy["dram"] == 909 * actions["ACT"] + 891 * (actions["RD"] + actions["WR"])
    (scope,) = (said for said in result.scope if said.startswith("dram: "))
    assert scope.startswith("dram: commands of HBM3, published: Fine-grained DRAM")
    assert scope.endswith("; no figure for REFab, rows left open, standby")
    others = simulate(arch, workload).energy_by
    assert others is not None
    assert {name: pj for name, pj in energy.items() if name != "dram"} == {
        name: pj for name, pj in others.items() if name != "dram"
    }


def test_the_order_of_an_address_map_matters() -> None:
    """Rows of 64 bytes at a distance of 256: channels by the lowest bits leave half of them idle, others do not."""
    wide = ("M=256", "P=256")
    low = small("cycle", *wide)
    other = small("cycle", *wide, "levels.dram.dram.address_map=ro ba ra co ch bg pc")
    assert other.seconds != low.seconds
    assert low.traffic == other.traffic


@pytest.mark.slow
def test_half_a_clock_is_no_other_result() -> None:
    """Ticks of program and DRAM are whole whatever the clock: 800 MHz is the DRAM's own, 1 GHz is not."""
    for clock in ("800 MHz", "1 GHz", "940 MHz"):
        result, timed = executed(*load_named("edge-lpddr5", "attention", (*SMALL, f"clock={clock}")))
        (memory,) = [resource.memory for resource in timed.program.resources if resource.memory]
        assert memory.period.denominator == 1
        device = device_of(memory.setup)
        assert memory.period / timed.program.ticks_per_s == Fraction(device.tick_ps) / 10**12
        assert result.cycles_exact == timed.run.seconds * result.clock_hz if result.clock_hz else False


def test_the_command_line_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", "edge-lpddr5", "attention", *(part for text in SMALL for part in ("--set", text))]
    assert main([*words, "--depth", "cycle", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["actions"]["dram.commands"]["row_hits"] > 0
    assert main([*words, "--depth", "cycle"]) == 0
    assert "row hits" in capsys.readouterr().out
