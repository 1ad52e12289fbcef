"""A processor that reads beside the multipliers: no rule broken, nothing from nowhere, and what each side loses."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.errors import AccelsimError
from accelsim.memory import pim_channel
from accelsim.memory.model import Integers
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_energy import processor_energy
from accelsim.memory.pim_gemm import Gemm, run_gemm
from accelsim.memory.pim_kernel import ACT, FETCH, KIND, MAC, PRE, PREA, REF, SET, STORE
from accelsim.memory.pim_layout import NONE
from accelsim.memory.pim_model import Stack, beside_processor, with_queries
from accelsim.memory.pim_processor import asked_by, contention, served_alone
from accelsim.memory.pim_run import gaps, issue, run_attention
from accelsim.memory.pim_stream import Attention, channel_commands
from tests.tries import tries

JOB = Attention(64, 2048, 128, 2, 4)
SHARES = st.sampled_from([13, 50, 100])
WRITES = st.sampled_from([0, 30, 100])


def stack_of(share: int, rules: str = "released", *, power_limit: bool = True, writes: int = 0) -> Stack:
    return beside_processor(load_stack("HBM3-PIM", "logic", rules, power_limit=power_limit), share, writes)


def commands_of(stack: Stack, length: int) -> Integers:
    return channel_commands(stack, Attention(2, length, 100, 2), (length, length // 2 + 1), sharers=1)


@settings(max_examples=8)
@given(SHARES, WRITES, st.sampled_from(["released", "corrected"]), st.sampled_from([700, 5070]), st.integers(1, 100))
def test_the_kernel_does_what_the_channel_says(share: int, writes: int, rules: str, interval: int, length: int) -> None:
    stack = stack_of(share, rules, writes=writes)
    stack = replace(stack, timings={**stack.timings, "nREFI": interval})
    commands = commands_of(stack, length)
    cycles, log = issue(stack, commands)
    assert (cycles, [tuple(line) for line in log.tolist()]) == pim_channel.run(stack, commands, gaps(stack))


def test_the_kernel_reads_alone_as_the_channel_does() -> None:
    stack = stack_of(90, "corrected", writes=40)
    cycles, log = issue(stack, NONE, until=1200)
    assert (cycles, [tuple(line) for line in log.tolist()]) == pim_channel.run(stack, NONE, gaps(stack), until=1200)
    assert cycles == 1200


@settings(max_examples=tries(20))
@given(SHARES, WRITES, st.sampled_from(["released", "corrected"]), st.integers(1, 300))
def test_nothing_breaks_a_rule(share: int, writes: int, rules: str, length: int) -> None:
    stack = stack_of(share, rules, writes=writes)
    stack = replace(stack, timings={**stack.timings, "nREFI": 1000})
    commands = commands_of(stack, length)
    assert offences(stack, commands, issue(stack, commands)[1]) == []


@pytest.mark.parametrize("name", ["nRCD", "nCCDS", "nCCDL", "nRTW", "nWTRS", "nWTRL", "nWR"])
def test_a_timing_that_is_not_kept_is_found(name: str) -> None:
    """A run is looked at with one timing longer than it was run with."""
    stack = stack_of(100, writes=40)
    stack = replace(stack, timings={**stack.timings, "nREFI": 700})
    commands = commands_of(stack, 300)
    longer = replace(stack, timings={**stack.timings, name: stack.timings[name] + 60})
    assert offences(longer, commands, issue(stack, commands)[1])


def test_a_limit_and_a_space_that_are_not_kept_are_found() -> None:
    free, limited = stack_of(100, "corrected", power_limit=False), stack_of(100, "corrected")
    commands = commands_of(free, 300)
    assert "power" in offences(limited, commands, issue(free, commands)[1])
    whole = commands_of(load_stack("HBM3-PIM", "logic", "corrected", power_limit=False), 300)
    assert "a set of the processor" in offences(free, whole, issue(free, whole)[1])


def offences(stack: Stack, commands: Integers, log: Integers) -> list[str]:
    """Every constraint on a processor's bursts, and on the buses and the power of both, that a log breaks."""
    lines = [tuple(line) for line in log.tolist()]
    taking = [cycle for cycle, what, *_ in lines if what in (MAC, FETCH, STORE)]
    found = ["column bus"] if len(taking) != len(set(taking)) else []
    rows = [line for line in lines if line[1] in (ACT, PRE, PREA, REF)]
    found += ["row bus" for one, two in pairwise(rows) if two[0] < one[0] + (2 if one[1] == ACT else 1)]
    found += ["a set of the processor"] if (commands[commands[:, KIND] == MAC][:, SET] >= stack.spaces).any() else []
    return found + _bursts(stack, lines) + _power(stack, lines)


def _bursts(stack: Stack, lines: list[tuple[int, ...]]) -> list[str]:
    """Each once and not before it was asked for; its row open, and far enough behind others of its place."""
    timings, sizes, found = stack.timings, stack.sizes, []
    turned = timings["nCWL"] + timings["nBL"]
    after = {  # by what came before and what comes now: of a pseudo-channel, of a bank group
        (FETCH, FETCH): (timings["nCCDS"], timings["nCCDL"]),
        (STORE, STORE): (timings["nCCDS"], timings["nCCDL"]),
        (FETCH, STORE): (timings["nRTW"], timings["nRTW"]),
        (STORE, FETCH): (turned + timings["nWTRS"], turned + timings["nWTRL"]),
    }
    opened: dict[int, tuple[int, int]] = {}
    last: dict[tuple[int, int, int], int] = {}
    written: dict[int, int] = {}
    numbers = [number for _, what, number, _ in lines if what in (FETCH, STORE)]
    found += ["twice"] if len(numbers) != len(set(numbers)) else []
    for cycle, what, at, row in lines:
        if what == ACT:
            opened[at] = (row, cycle)
        elif what in (PRE, PREA):
            closing = [at] if what == PRE else list(opened)
            late = [one for one in closing if cycle < written.get(one, -999) + turned + timings["nWR"]]
            found += ["closed too early"] if late else []
            for one in closing:
                del opened[one]
        elif what in (FETCH, STORE):
            part, group = at % sizes["pseudo_channel"], at // sizes["pseudo_channel"] % sizes["bank_group"]
            bank = at // (sizes["pseudo_channel"] * sizes["bank_group"] * sizes["column"]) % sizes["bank"]
            place = part * sizes["bank_group"] + group
            bank += stack.sets + place * sizes["bank"]
            is_row, since = opened.get(bank, (-1, 0))
            found += [] if is_row == row and cycle >= since + timings["nRCD"] else ["closed row"]
            for scope, where in enumerate((part, place)):
                for before in (FETCH, STORE):
                    gap = after[before, what][scope]
                    found += ["too close"] if cycle < last.get((before, scope, where), -gap) + gap else []
                last[what, scope, where] = cycle
            if what == STORE:
                written[bank] = cycle
            found += ["too early"] if at >= asked_by(stack, cycle + 1) else []
    return found


def _power(stack: Stack, lines: list[tuple[int, ...]]) -> list[str]:
    """In no span of cycles more tokens than the full bucket and what was refilled."""
    power, spare, last, found = stack.power, 0, 0, []
    for cycle, what, at, _ in lines:
        opening = power.activate if at < stack.sets else power.row
        takes = {MAC: power.mac, FETCH: power.burst, STORE: power.burst, ACT: opening}.get(what, 0)
        spare, last = max(0, spare - power.refill * (cycle - last)) + takes, cycle
        found += ["power"] if spare > power.most else []
    return found


# What each side loses.


def told(stack: Stack, work: Attention = JOB) -> dict[str, Any]:
    run = run_attention(stack, work)
    return {"cycles": run.cycles, **contention(stack, run, lambda other: run_attention(other, work))}


def test_a_processor_that_asks_for_nothing_costs_nothing_but_its_space() -> None:
    found = told(stack_of(0))
    assert (found["lost_by_multipliers"], found["lost_by_processor"], found["served_bursts"]) == (0, 0, 0)
    whole = run_attention(load_stack("HBM3-PIM", "logic", "released", power_limit=True), JOB)
    assert found["cycles"] == pytest.approx(whole.cycles, rel=0.02)


def test_a_processor_alone_has_all_that_a_refresh_leaves() -> None:
    stack = stack_of(100)
    assert served_alone(stack, 50_000) / 50_000 == pytest.approx(1 - 456 / 5070, rel=0.015)
    assert served_alone(replace(stack, timings={**stack.timings, "nREFI": 1 << 30}), 50_000) > 0.99 * 50_000
    assert asked_by(stack, 50_000) == 50_000
    half = stack_of(50)
    assert 24_900 < served_alone(half, 50_000) <= asked_by(half, 50_000) == 25_000


def test_without_a_limit_of_power_both_share_the_column_bus() -> None:
    """Every cycle of the bus is a MAC or a read then: what MACs take the processor loses, and MACs next to nothing."""
    stack = stack_of(100, power_limit=False)
    run = run_attention(stack, JOB)
    served, alone = run.counts["processor RD"], served_alone(stack, run.cycles)
    assert served + run.counts["MAC"] == pytest.approx(alone, rel=0.01)
    found = told(stack)
    assert found["lost_by_processor"] == pytest.approx(run.counts["MAC"] / alone, rel=0.03)
    assert 0 <= found["lost_by_multipliers"] < 0.01
    quarter = told(stack_of(25, power_limit=False))
    assert (quarter["lost_by_processor"], quarter["served_bursts"]) == (0, quarter["asked_bursts"])


def test_under_a_limit_of_power_both_spend_it() -> None:
    """The bucket is empty but for refreshes: it fills in the first 39 cycles of each and runs over for the others."""
    stack = stack_of(100, "corrected")
    seen = with_queries(stack, JOB.group)
    run, found = run_attention(stack, JOB), told(stack)
    counts, power = run.counts, seen.power
    spent = counts["MAC"] * power.mac + counts["ACT"] * power.activate
    spent += counts["processor RD"] * power.burst + counts["processor ACT"] * power.row
    assert spent <= power.most + power.refill * run.cycles
    assert spent == pytest.approx(power.refill * run.cycles * (1 - (456 - 39) / 5070), rel=0.02)
    assert found["lost_by_multipliers"] > 0.2
    assert found["lost_by_processor"] > 0.4


def test_who_asks_for_more_gets_no_less_and_takes_no_less() -> None:
    found = [told(stack_of(share, "corrected")) for share in (0, 20, 40, 60)]
    for one, more in pairwise(found):
        assert one["cycles"] < more["cycles"]
        assert one["bandwidth_bytes_per_s"] < more["bandwidth_bytes_per_s"]
        assert more["served_bursts"] <= more["asked_bursts"]


def test_writes_are_as_many_as_asked_for_and_turning_the_bus_costs() -> None:
    """A quarter of the requests, in runs of 16 behind 48 reads: at most twice a run the bus turns.

    It does so seldomer where reads of the next run go before writes that wait for it.
    """
    reading, mixed = (stack_of(100, power_limit=False, writes=writes) for writes in (0, 25))
    counts = run_attention(mixed, JOB).counts
    assert counts["processor WR"] / (counts["processor RD"] + counts["processor WR"]) == pytest.approx(0.25, abs=0.01)
    turning = 3 + 6 + 2 + 8  # nRTW, then nCWL + nBL + nWTRS
    assert served_alone(mixed, 50_000) >= served_alone(reading, 50_000) * 64 / (64 + 2 * turning)
    assert served_alone(mixed, 50_000) < 0.98 * served_alone(reading, 50_000)
    assert run_attention(stack_of(100, power_limit=False, writes=100), JOB).counts["processor RD"] == 0


def test_products_share_too() -> None:
    work = Gemm(8, 2048, 4096, 2)
    alone, beside = (run_gemm(stack_of(share, "corrected"), work) for share in (0, 80))
    assert alone.cycles < beside.cycles
    assert beside.counts["MAC"] == alone.counts["MAC"]


def test_a_read_of_a_processor_costs_the_ordinary_way() -> None:
    assert processor_energy(stack_of(50), 1, 0) == pytest.approx(256 * 3.48)
    assert processor_energy(stack_of(50), 32, 1) == pytest.approx(32 * 256 * 3.48 + 909)


def test_multipliers_on_the_processors_path_are_refused() -> None:
    for level in ("bank", "bank-group", "buffer"):
        with pytest.raises(AccelsimError, match="processor_share: the multipliers of this level read"):
            beside_processor(load_stack("HBM3-PIM", level, "released", power_limit=True), 10)


def test_the_probes_tell_what_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    attention = ("pim", "pairs=32", "length=500", "head_dim=128", "group=8")
    for unit, *job in (attention, ("pim-gemm", "m=4", "k=1024", "n=1024")):
        words = [
            word for setting in (*job, "level=logic", "bytes=2", "power_limit=false") for word in ("--set", setting)
        ]
        assert main(["unit", unit, *words, "--set", "processor_share=50", "--set", "processor_writes=0", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["report"]["processor"]
        assert 0 < found["served_bursts"] <= found["asked_bursts"]
        assert found["lost_by_processor"] < 0.1
        assert main(["unit", unit, *words, "--json"]) == 0
        assert "processor" not in json.loads(capsys.readouterr().out)["report"]
        assert main(["unit", unit, *words, "--set", "processor_share=101", "--json"]) == 2
        assert "processor_share: must be an integer from 0 to 100" in capsys.readouterr().out
