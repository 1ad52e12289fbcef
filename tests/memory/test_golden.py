"""Against Ramulator 2.1 (c5b1c3a): its runs of the named streams, and its timings, where the reference data lie."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from accelsim.memory import Policy, load_device, make_stream, serve_all
from accelsim.memory.load import load_document, read_device
from accelsim.memory.model import Constraint, Device
from tests.memory.draw import STANDARDS

pytestmark = pytest.mark.golden
HBM3 = ("HBM3", "HBM3_16Gb_8hi", "HBM3_6400Mbps")
WITHIN, WITHIN_SEQUENTIAL = 0.02, 0.05
MEASURED = [  # further runs of the same kind: device, stream, requests, refresh, queue, ticks
    (HBM3, "rowhit_1bank", 10_000, False, 32, 79_801),
    (HBM3, "bank_conflict", 4_000, False, 32, 571_249),
    (HBM3, "random", 10_000, False, 32, 120_419),
    (HBM3, "random", 10_000, False, 64, 119_211),
    (HBM3, "random", 10_000, False, 128, 118_393),
    (HBM3, "seq_RoBaBgCo", 10_000, False, 64, 40_017),
    (("HBM2", "HBM2_8Gb", "HBM2_2000Mbps"), "random", 10_000, False, 32, 40_097),
]
LEVELS = {
    "Channel": "channel",
    "PseudoChannel": "pseudo_channel",
    "Sid": "rank",
    "Rank": "rank",
    "BankGroup": "bank_group",
    "Bank": "bank",
}
NAMES = {"PREpb": "PRE", "PREab": "PREA", "ACT1": "ACT"}
MODELLED = {"ACT", "PRE", "PREA", "RD", "WR", "RDA", "WRA", "REFab", "REFpb"}


def ticks(device: tuple[str, str, str], stream: str, requests: int, refresh: bool, queue: int) -> tuple[int, int]:
    """Until the end of data, and until the last request was accepted, which is where those runs end."""
    on = load_device(*device)
    policy = Policy(queue=queue, refresh="all-bank" if refresh else "none")
    outcome = serve_all(on, policy, make_stream(stream, on.organisation, requests))
    assert outcome.hits + outcome.misses + outcome.conflicts == requests
    return outcome.cycles, outcome.accepted_cycles


def rows_of(reference: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((reference / "pim" / name).read_text(encoding="utf-8").splitlines()))


def off(device: tuple[str, str, str], stream: str, requests: int, refresh: bool, queue: int, wanted: int) -> float:
    return max(abs(found / wanted - 1) for found in ticks(device, stream, requests, refresh, queue))


@pytest.mark.parametrize("run", MEASURED, ids=lambda run: "-".join(map(str, (*run[0][:1], *run[1:]))))
def test_measured_runs(run: tuple[tuple[str, str, str], str, int, bool, int, int]) -> None:
    assert off(*run) < WITHIN


def test_every_row_of_the_named_streams(reference: Path) -> None:
    rows = rows_of(reference, "dram_streams.csv")
    assert len(rows) > 20
    for row in rows:
        device = (row["standard"], row["org"], row["timing"])
        queue = 32 if row["read_buf"] == "default" else int(row["read_buf"])
        allowed = WITHIN_SEQUENTIAL if row["stream"] == "seq_RoBaCoBg" else WITHIN
        wanted = int(row["cycles"])
        assert off(device, row["stream"], int(row["N"]), row["refresh"] == "1", queue, wanted) < allowed, row
        assert float(row["tick_ps"]) == load_device(*device).tick_ps


# The tables: what is theirs is read with eval, which nothing in the package does.


def theirs(reference: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (reference / "pim" / "dram_timings.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=loader)["standards"]
    return found


def their_constraints(table: dict[str, Any], values: dict[str, int], per_clock: int) -> Iterator[Constraint]:
    for entry in table["constraints"]:
        after = tuple(name for name in (NAMES.get(name, name) for name in entry["prev"]) if name in MODELLED)
        following = tuple(name for name in (NAMES.get(name, name) for name in entry["next"]) if name in MODELLED)
        scope = "other_rank" if entry.get("sibling") else LEVELS[entry["level"]]
        delay = eval(entry["latency"], {}, dict(values)) * per_clock
        if after and following and delay > 0:
            yield Constraint(scope, after, following, delay, entry.get("window", 1))


Demand = tuple[str, str, str, int]
"""Scope, what was before, what comes after, window."""
OTHERWISE: dict[str, set[Demand]] = {  # where the reference is not followed
    # Only the bank itself must be closed; the reference holds up the whole channel.
    "GDDR6": {("channel", "RDA", "REFpb", 1), ("channel", "WRA", "REFpb", 1)},
    # Data of a write ends nCWL + nBL after it, that of a read begins nCL after it; the reference has the signs swapped.
    "LPDDR5": {("other_rank", "WR", "RD", 1), ("other_rank", "WRA", "RD", 1)},
}

LONGER = {  # where the reference lets commands follow too soon
    # The write's data would begin before the read's from another rank ends.
    **{name: {("other_rank", "RD", "WR"), ("other_rank", "RDA", "WR")} for name in ("DDR4", "DDR5")},
    # As well, and all banks take nRPab to close.
    "LPDDR5": {("other_rank", "RD", "WR"), ("other_rank", "RDA", "WR"), ("rank", "PREA", "REFab")},
}


def demands(constraints: Iterable[Constraint]) -> dict[Demand, int]:
    """The longest delay of every pair of commands in a scope."""
    names = {"RDA": "RD", "WRA": "WR"}
    found: dict[Demand, int] = {}
    for one in constraints:
        for before, after in product(one.after, one.next):
            key = (one.scope, before, names.get(after, after), one.window)
            found[key] = max(found.get(key, 0), one.ticks)
    return found


def pairs(table: dict[str, Any], document: Any) -> Iterator[tuple[Device, dict[str, int]]]:
    """Our devices whose organisation and grade the reference has too, with its values."""
    entries = document.mapping()
    for organisation in entries["organisations"].mapping():
        for timing in entries["timings"].mapping():
            if (values := table["resolved"].get(f"{organisation}|{timing}")) is not None:
                yield read_device(document, organisation, timing), values


@pytest.mark.parametrize("standard", [name for name in STANDARDS if name != "HBM2E"])
def test_tables_demand_what_the_reference_demands(reference: Path, standard: str) -> None:
    """Every constraint of the reference is ours, the same delay or a longer one; we have some that it leaves out."""
    table, document = theirs(reference)[standard], load_document(standard)
    per_clock = document.mapping()["ticks_per_clock"].integer()
    seen = 0
    for ours, values in pairs(table, document):
        wanted, given = demands(their_constraints(table, values, per_clock)), demands(ours.constraints)
        short = {key for key, delay in wanted.items() if given.get(key, 0) < delay}
        assert short == OTHERWISE.get(standard, set()), (ours.organisation.name, ours.timing)
        longer = {key for key, delay in wanted.items() if given.get(key, 0) > delay}
        assert {key[:3] for key in longer} <= LONGER.get(standard, set()), (ours.organisation.name, ours.timing)
        assert ours.tick_ps * per_clock == values["tCK_ps"]
        assert ours.refresh.interval == values["nREFI"] * per_clock
        shape = table["org_presets"][ours.organisation.name]
        found = ours.organisation
        assert (found.bank_groups, found.banks, found.rows) == (shape["bankgroup"], shape["bank"], shape["row"])
        assert found.bursts * found.burst_bytes == shape["row_bytes_per_bank_channel"]
        seen += 1
    assert seen > 1


def test_mixed_rows_are_reported(reference: Path) -> None:
    """They come from another frontend with a random mix: no target, but reads and writes must not run faster than ours
    could at best, and rates must fall with the share of writes on both sides."""
    rows = rows_of(reference, "dram_mixed.csv")
    for standard in ("HBM3", "DDR5"):
        found = [
            row for row in rows if row["standard"] == standard and row["mode"] == "stream" and row["refresh"] == "0"
        ]
        on = load_device(standard, found[0]["org"], found[0]["timing"])
        stream = "seq_RoBaCoBg_2pc" if on.organisation.pseudo_channels > 1 else "seq_RoBaCoBg"
        ours = [
            serve_all(
                on, Policy(), make_stream(stream, on.organisation, 20_000, reads=int(row["read_ratio_pct"]))
            ).cycles
            for row in sorted(found, key=lambda row: -int(row["read_ratio_pct"]))
        ]
        assert ours == sorted(ours)
