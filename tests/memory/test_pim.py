"""Processing in memory: against AttAcc's simulator, a closed form, laws, and its own rules."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import pairwise, takewhile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.memory import pim_channel
from accelsim.memory.model import Integers
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_kernel import (
    ACT,
    APPEND,
    BARRIER,
    GROUP,
    KIND,
    MAC,
    PRE,
    PREA,
    RANK,
    REF,
    ROW,
    SET,
    SOFTMAX,
    WEIGHTS,
)
from accelsim.memory.pim_model import Stack
from accelsim.memory.pim_run import Run, gaps, issue, run_attention
from accelsim.memory.pim_stream import Attention, channel_commands, softmax_cycles
from tests.tries import tries

WITHIN = 0.025
LEVELS = ("bank", "bank-group", "buffer")
THEIRS = {"bank": "bank", "bg": "bank-group", "buffer": "buffer"}  # the reference's words
MEASURED = [  # more runs of that simulator: level, power limit, pairs, positions, cycles
    ("bank", True, 16, 2048, 3810),
    ("bank", True, 16, 4096, 8088),
    ("bank", False, 16, 2048, 2818),
    ("bank-group", True, 16, 2048, 13403),
    ("buffer", True, 16, 2048, 36415),
    ("bank", True, 130, 2048, 36572),
]


def stack_of(level: str, rules: str = "released", *, power_limit: bool = True) -> Stack:
    return load_stack("HBM3-PIM", level, rules, power_limit=power_limit)


def busiest(stack: Stack, work: Attention) -> Integers:
    """The commands of the first channel, which has as many pairs as any."""
    sharers = min(work.pairs, stack.channels)
    return channel_commands(stack, work, work.lengths[:: stack.channels], sharers)


def cycles_of(stack: Stack, pairs: int, length: int, head_dim: int = 128) -> int:
    return run_attention(stack, Attention(pairs, length, head_dim, 2)).cycles


# Against the simulator of AttAcc.


@pytest.mark.golden
def test_every_row_of_the_reference(reference: Path) -> None:
    rows = list(csv.DictReader((reference / "pim" / "attacc_commands.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) > 20
    for row in rows:
        stack = stack_of(THEIRS[row["pim_type"]], power_limit="NPC" not in row["timing_preset"])
        pairs = int(row["nhead_per_hbm"])
        run = run_attention(stack, Attention(pairs, int(row["L"]), int(row["dhead"]), int(row["dbyte"])))
        assert run.cycles == pytest.approx(int(row["cycles"]), rel=WITHIN), row
        channels = min(pairs, stack.channels)
        ours = {
            "n_mac": run.counts["MAC"],
            "n_sfm": run.counts["softmax"],
            "n_mvgb": run.counts["weights"],
            "n_mvsb": run.counts["scores"] + run.counts["outputs"],
            "n_wrgb": run.counts["query"],
        }
        assert {name: count * channels for name, count in ours.items()} == {name: int(row[name]) for name in ours}, row


@pytest.mark.parametrize(("level", "limited", "pairs", "length", "wanted"), MEASURED)
def test_measured_runs(level: str, limited: bool, pairs: int, length: int, wanted: int) -> None:
    assert cycles_of(stack_of(level, power_limit=limited), pairs, length) == pytest.approx(wanted, rel=WITHIN)


@pytest.mark.parametrize(
    ("level", "limited", "rate", "measured"),
    [
        ("bank", True, 32 / (31 * 6 + 8 + 19 + 19), 0.1236),
        ("bank", False, 32 / (31 * 4 + 8 + 19 + 19), 0.1673),
        ("bank-group", True, 1 / 6, 0.1494),
        ("bank-group", False, 1 / 4, 0.2243),
        ("buffer", True, 1 / 2, 0.4468),
    ],
)
def test_long_runs_have_the_rate_of_the_closed_form(level: str, limited: bool, rate: float, measured: float) -> None:
    """All banks at once: 32 reads, close, open. Otherwise a set opens while another is read; refresh takes its share.

    `measured` is the rate in results that AttAcc's simulator ships, of an older version (188 pairs, 2048 positions).
    """
    run = run_attention(stack_of(level, power_limit=limited), Attention(192, 2048, 128, 2))
    found = run.counts["MAC"] / run.cycles
    assert found == pytest.approx(rate * (1 - 456 / 5070), rel=0.015)
    assert found == pytest.approx(measured, rel=WITHIN)


# Laws.


@pytest.mark.parametrize("rules", ["released", "corrected"])
@pytest.mark.parametrize("level", LEVELS)
def test_every_element_is_read_and_power_never_helps(level: str, rules: str) -> None:
    limited, free = stack_of(level, rules), stack_of(level, rules, power_limit=False)
    for length, head_dim in [(1, 1), (100, 80), (777, 128), (1024, 128)]:
        work = Attention(16, length, head_dim, 2)
        run = run_attention(limited, work)
        assert run.counts["MAC"] * limited.banks_per_command * limited.burst_bytes >= 2 * length * head_dim * 2
        assert run.cycles >= run_attention(free, work).cycles
    exact = run_attention(limited, Attention(1, 1024, 128, 2)).counts["MAC"]
    assert exact * limited.banks_per_command * limited.burst_bytes == 2 * 1024 * 128 * 2


@settings(max_examples=tries(30))
@given(
    st.sampled_from(LEVELS),
    st.booleans(),
    st.sampled_from(["pairs", "length", "head_dim"]),
    st.integers(1, 200),
    st.integers(1, 200),
)
def test_a_larger_job_never_takes_less(level: str, limited: bool, name: str, size: int, more: int) -> None:
    stack = stack_of(level, power_limit=limited)
    jobs = (replace(Attention(20, 100, 64, 2), **{name: value}) for value in (size, size + more))
    small, large = (run_attention(stack, job).cycles for job in jobs)
    assert small <= large


@pytest.mark.parametrize("level", LEVELS)
def test_channels_are_alike(level: str) -> None:
    stack = stack_of(level)
    assert (
        cycles_of(stack, 1, 300) == cycles_of(stack, 16, 300) < cycles_of(stack, 17, 300) == cycles_of(stack, 32, 300)
    )


def test_half_the_bytes_are_half_the_reads() -> None:
    for level in LEVELS:
        runs = [run_attention(stack_of(level), Attention(16, 1024, 128, size)) for size in (1, 2, 4)]
        assert [run.counts["MAC"] / runs[0].counts["MAC"] for run in runs] == [1, 2, 4]


def test_softmax_takes_its_time() -> None:
    free = stack_of("bank", power_limit=False)
    taking = replace(free, softmax=stack_of("bank", "corrected").softmax)
    for pairs in (1, 16):
        work = Attention(pairs, 1024, 128, 2)
        allowed = softmax_cycles(taking, 1024, pairs)
        assert softmax_cycles(free, 1024, pairs) == 0
        assert allowed == 3 * pairs * 1024 // 128
        assert 0 < run_attention(taking, work).cycles - run_attention(free, work).cycles <= allowed


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("pairs", [16, 32])
def test_new_keys_and_values_are_written_before_they_are_read(level: str, pairs: int) -> None:
    stack = stack_of(level, "corrected")
    work = Attention(pairs, 300, 128, 2)
    run, released = run_attention(stack, work), run_attention(stack_of(level), work)
    assert run.counts["append"] * stack.burst_bytes == pairs / 16 * 2 * 128 * 2
    assert (released.counts["append"], run.counts["MAC"]) == (0, released.counts["MAC"])
    assert run.cycles > run_attention(replace(stack, append=False), work).cycles
    commands = busiest(stack, work)
    kinds = commands[:, KIND].tolist()
    ends = [at for at, kind in enumerate(kinds) if kind == APPEND and kinds[at + 1] == BARRIER]
    assert ends
    for at in ends:  # what was written last is among what the MACs behind the barrier read
        read = takewhile(lambda line: line[KIND] == MAC, commands[at + 2 :].tolist())
        assert tuple(commands[at, [SET, ROW]]) in {(line[SET], line[ROW]) for line in read}


# What was issued, looked at without the simulators.


def offences(stack: Stack, work: Attention, run: Run) -> list[str]:
    """Every constraint that the log of a run breaks, found by other means than issuing it."""
    commands, log = busiest(stack, work), [tuple(line) for line in run.log.tolist()]
    wanted = {at for at, kind in enumerate(commands[:, KIND].tolist()) if kind != BARRIER}
    columns = [line for line in log if line[1] < BARRIER]
    found = [] if sorted(line[2] for line in columns) == sorted(wanted) else ["not every command once"]
    found += ["column bus" for one, two in pairwise(columns) if one[0] >= two[0]]
    rows = [line for line in log if line[1] > BARRIER]
    found += ["row bus" for one, two in pairwise(rows) if two[0] < one[0] + (2 if one[1] == ACT else 1)]
    found += _spacing(stack, commands, columns) + _barriers(commands, columns)
    found += _banks(stack, commands, log) + _power(stack, log) + _refreshes(stack, log, run.cycles)
    return found


Line = tuple[int, ...]


def _spacing(stack: Stack, commands: Integers, columns: list[Line]) -> list[str]:
    found = []
    for path, delays in enumerate(gaps(stack)):
        for level, delay in enumerate(delays):
            last: dict[int, int] = {}
            for cycle, kind, at, _ in columns:
                if (kind == MAC) == (path == 0):
                    place = (0, commands[at, RANK], commands[at, GROUP])[level]
                    found += [f"path {path} level {level}"] if cycle < last.get(place, -delay) + delay else []
                    last[place] = cycle
    return found


def _barriers(commands: Integers, columns: list[Line]) -> list[str]:
    """Whatever stands before a barrier issues before what stands behind it."""
    at_cycle = {at: cycle for cycle, _, at, _ in columns}
    found, before, latest = [], -1, -1
    for at, kind in enumerate(commands[:, KIND].tolist()):
        if kind == BARRIER:
            before = latest
        else:
            found += ["barrier"] if at_cycle[at] <= before else []
            latest = max(latest, at_cycle[at])
    return found


def _banks(stack: Stack, commands: Integers, log: list[Line]) -> list[str]:
    timings, found = stack.timings, []
    for bank_set in range(stack.sets):
        opened, row, activated, closed, read, refreshed, written = False, -1, -999, -999, -999, -999, -999
        for cycle, what, at, wanted in log:
            if what == MAC and commands[at, SET] == bank_set:
                ok = opened and row == commands[at, ROW] and cycle >= activated + timings["nRCD"]
                ok = ok and cycle >= written + timings["nCWL"] + timings["nBL"] + timings["nWTRL"]
                read = cycle
            elif what == APPEND and commands[at, SET] == bank_set:
                ok = opened and row == commands[at, ROW] and cycle >= activated + timings["nRCD"]
                written = cycle
            elif what == ACT and at == bank_set:
                ok = not opened and cycle >= max(closed + timings["nRP"], activated + timings["nRC"])
                ok = ok and cycle >= refreshed + timings["nRFC"]
                opened, row, activated = True, wanted, cycle
            elif (what == PRE and at == bank_set) or (what == PREA and opened):
                ok = opened and cycle >= max(activated + timings["nRAS"], read + timings["nRTP"])
                ok = ok and cycle >= written + timings["nCWL"] + timings["nBL"] + timings["nWR"]
                opened, closed = False, cycle
            elif what == REF:
                ok = not opened and cycle >= max(closed + timings["nRP"], activated + timings["nRC"])
                refreshed = cycle
            else:
                continue
            found += [] if ok else [f"bank set {bank_set} at {cycle}: {what}"]
    return found


def _power(stack: Stack, log: list[Line]) -> list[str]:
    """In no span of cycles more tokens than the full bucket and what was refilled."""
    takes = {MAC: stack.power.mac, ACT: stack.power.activate}
    spare, last = 0, 0  # the bucket less what it holds at most
    found = []
    for cycle, what, *_ in log:
        spare = max(0, spare - stack.power.refill * (cycle - last)) + takes.get(what, 0)
        last = cycle
        found += ["power"] if spare > stack.power.most else []
    return found


def _refreshes(stack: Stack, log: list[Line], cycles: int) -> list[str]:
    """No MAC and no activation from a multiple of nREFI until every part is refreshed."""
    parts, interval = stack.sizes["pseudo_channel"], stack.timings["nREFI"]
    done, found = 0, []
    for cycle, what, *_ in log:
        due = parts * (cycle // interval)
        done += what == REF
        found += ["refresh too early"] if done > due else []
        found += ["refresh put off"] if done < due and what in (MAC, APPEND, ACT) else []
    return found + (["refresh forgotten"] if done < parts * ((cycles - 1) // interval - 1) else [])


JOBS = st.builds(
    Attention, st.sampled_from([1, 16, 20, 40]), st.integers(1, 150), st.integers(1, 130), st.sampled_from([1, 2, 4])
)
STACKS = st.builds(
    lambda level, rules, limited, interval, window: _changed(
        stack_of(level, rules, power_limit=limited), interval, window
    ),
    st.sampled_from(LEVELS),
    st.sampled_from(["released", "corrected"]),
    st.booleans(),
    st.sampled_from([700, 1500, 5070]),
    st.sampled_from([1, 4, 33]),
)


def _changed(stack: Stack, interval: int, window: int) -> Stack:
    return replace(stack, timings={**stack.timings, "nREFI": interval}, window=window)


@settings(max_examples=tries(30))
@given(STACKS, JOBS)
def test_nothing_breaks_a_rule(stack: Stack, work: Attention) -> None:
    assert offences(stack, work, run_attention(stack, work)) == []


@pytest.mark.parametrize("name", ["nRCD", "nRP", "nRAS", "nRC", "nRTP", "nCCDS", "nCCDL", "nRFC", "nWTRL", "nWR"])
def test_a_timing_that_is_not_kept_is_found(name: str) -> None:
    """A run is looked at with one timing longer than it was run with."""
    stack, work = _changed(stack_of("bank-group", "corrected"), 700, 33), Attention(20, 150, 128, 2)
    longer = replace(stack, timings={**stack.timings, name: stack.timings[name] + 200})
    assert offences(longer, work, run_attention(stack, work))


def test_a_limit_and_a_refresh_that_are_not_kept_are_found() -> None:
    free, work = stack_of("bank", power_limit=False), Attention(16, 1024, 128, 2)
    assert "power" in offences(stack_of("bank"), work, run_attention(free, work))
    assert "refresh put off" in offences(_changed(free, 700, 33), work, run_attention(free, work))


@settings(max_examples=tries(20))
@given(STACKS, JOBS)
def test_the_kernel_does_what_the_channel_says(stack: Stack, work: Attention) -> None:
    commands = busiest(stack, work)
    cycles, log = issue(stack, commands)
    assert (cycles, [tuple(line) for line in log.tolist()]) == pim_channel.run(stack, commands, gaps(stack))


def test_weights_wait_for_softmax() -> None:
    stack, work = stack_of("bank", "corrected"), Attention(40, 200, 128, 2)
    cycle_of_last, allowed = 0, softmax_cycles(stack, 200, 16)
    for cycle, kind, *_ in run_attention(stack, work).log.tolist():
        if kind == SOFTMAX:
            cycle_of_last = cycle
        if kind == WEIGHTS:
            assert cycle >= cycle_of_last + allowed > allowed


def test_refreshes_come_at_multiples_of_their_interval() -> None:
    stack = stack_of("buffer")
    run = run_attention(stack, Attention(16, 2048, 128, 2))
    assert run.counts["REF"] == stack.sizes["pseudo_channel"] * ((run.cycles - 1) // stack.timings["nREFI"]) == 14
    assert run_attention(stack, Attention(16, 128, 128, 2)).counts["REF"] == 0
