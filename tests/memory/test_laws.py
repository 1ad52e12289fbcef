"""What holds whatever is asked of a DRAM: nothing comes too soon, nothing is lost, nothing beats the data bus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.memory import Device, Policy, Requests, make_stream, serve_all
from accelsim.memory.streams import NAMES
from tests.memory.checker import complaints, entries
from tests.memory.draw import STANDARDS, device, drawn

POLICIES = [
    Policy(),
    Policy(page="closed", refresh="all-bank"),
    Policy(queue=4, write_queue=4, refresh="per-bank"),
    Policy(queue=2, write_queue=16, drain_above=50, drain_below=5, refresh="all-bank"),
]
EACH = pytest.mark.parametrize("standard", STANDARDS)


def allowed(on: Device, policy: Policy) -> Policy:
    refresh = policy.refresh if policy.refresh != "per-bank" or on.refresh.per_bank else "all-bank"
    return replace(policy, refresh=refresh)


@pytest.mark.parametrize("policy", POLICIES, ids=range(len(POLICIES)))
@EACH
def test_an_independent_look_finds_nothing(standard: str, policy: Policy) -> None:
    on = device(standard)
    for seed in range(4):
        requests = drawn(on, 400, seed)
        log = serve_all(on, allowed(on, policy), requests, log=True).log
        assert complaints(on, requests, entries(log)) == []


NEEDED = [  # what no other constraint covers
    ("bank", "ACT", "RD"),
    ("bank", "ACT", "WR"),
    ("bank", "ACT", "PRE"),
    ("bank", "PRE", "ACT"),
    ("bank", "RD", "PRE"),
    ("bank", "WR", "PRE"),
    ("bank_group", "RD", "RD"),
    ("bank_group", "WR", "RD"),
]


@pytest.mark.parametrize("needed", NEEDED, ids="-".join)
@EACH
def test_the_look_finds_what_is_wrong(standard: str, needed: tuple[str, str, str]) -> None:
    """A controller that does not know a constraint breaks it."""
    on = device(standard)
    scope, before, after = needed
    kept = [one for one in on.constraints if not (one.scope == scope and before in one.after and after in one.next)]
    assert len(kept) < len(on.constraints)
    ignorant = replace(on, constraints=tuple(kept))
    requests = [drawn(on, 400, seed) for seed in range(6)]
    found = [complaints(on, one, entries(serve_all(ignorant, Policy(), one, log=True).log)) for one in requests]
    assert any(f"scope='{scope}'" in text for texts in found for text in texts)


def test_the_look_finds_what_is_lost() -> None:
    on = device("HBM3")
    requests = make_stream("random", on.organisation, 50)
    log = entries(serve_all(on, Policy(), requests, log=True).log)
    assert complaints(on, requests, log[:-1]) == ["not every request is served once"]
    held = [(tick + 1, *rest) if at else (tick, *rest) for at, (tick, *rest) in enumerate(log)]
    assert any("falling edge" in text for text in complaints(on, requests, held))  # type: ignore[arg-type]


def test_more_ranks_are_kept_apart() -> None:
    """Constraints on other ranks are seen where there are some: reads that go from rank to rank are slower."""
    for standard in ("DDR5", "LPDDR5", "DDR4"):
        on = device(standard)
        wide = replace(on, organisation=replace(on.organisation, ranks=2))
        requests = drawn(wide, 400, 1)
        assert complaints(wide, requests, entries(serve_all(wide, Policy(), requests, log=True).log)) == []
        banks = wide.organisation.banks_in["rank"]
        zeros = np.zeros(200, np.int64)
        turns = Requests(np.arange(200) % 2 * banks, zeros, zeros, zeros)
        groups = Requests(np.arange(200) % 2 * wide.organisation.banks, zeros, zeros, zeros)
        assert serve_all(wide, Policy(), turns).cycles > serve_all(wide, Policy(), groups).cycles


@pytest.mark.parametrize("stream", NAMES)
@EACH
def test_counts_and_bandwidth(standard: str, stream: str) -> None:
    on = device(standard)
    if stream.endswith("_2pc") and on.organisation.pseudo_channels == 1:
        return
    for reads, policy in ((100, Policy()), (50, Policy(page="closed", refresh="all-bank"))):
        requests = make_stream(stream, on.organisation, 500, reads=reads)
        outcome = serve_all(on, policy, requests)
        count = outcome.commands
        assert outcome.hits + outcome.misses + outcome.conflicts == 500
        assert count["RD"] + count["RDA"] + count["WR"] + count["WRA"] == 500
        assert count["WR"] + count["WRA"] == requests.write.sum()
        assert count["ACT"] == outcome.misses + outcome.conflicts
        assert 500 * on.burst_ticks <= outcome.cycles * on.organisation.pseudo_channels
        assert outcome.accepted_cycles < outcome.cycles == outcome.done.max()
        assert 0 < outcome.open_ticks <= outcome.cycles * on.organisation.pseudo_channels * on.organisation.ranks


def longest(on: Device, before: str, after: str, scopes: tuple[str, ...], window: int = 1) -> int:
    """The longest delay from one command to another in these scopes."""
    return max(
        one.ticks
        for one in on.constraints
        if before in one.after and after in one.next and one.scope in scopes and one.window == window
    )


@EACH
def test_closed_forms(standard: str) -> None:
    """Steady streams run at the rate of their tightest constraint, and refresh takes its share of the time."""
    on = device(standard)
    inside = ("bank", "bank_group", "rank", "pseudo_channel", "channel")
    rates = {
        "rowhit_1bank": longest(on, "RD", "RD", inside),
        "rowhit_bg_rr": longest(on, "RD", "RD", inside[2:]),
        "bank_conflict": max(
            longest(on, "ACT", "ACT", inside),
            longest(on, "ACT", "PRE", inside[:1]) + longest(on, "PRE", "ACT", inside[:1]),
            longest(on, "ACT", "RD", inside)
            + longest(on, "RD", "PRE", ("bank",))
            + longest(on, "PRE", "ACT", ("bank",)),
        ),
        "bank_rr_new_row": max(
            longest(on, "ACT", "ACT", inside[2:]),
            longest(on, "ACT", "ACT", inside[2:], window=4) / 4,
            longest(on, "RD", "RD", inside[2:]),
        ),
    }
    for stream, per_request in rates.items():
        requests = make_stream(stream, on.organisation, 4000)
        plain = serve_all(on, Policy(), requests).cycles
        assert per_request * 4000 <= plain + per_request * 4
        bound_by_the_bus = stream == "bank_rr_new_row" and len(on.buses) == 1
        assert plain < per_request * 4000 * (1.1 if bound_by_the_bus else 1.02) + 500
    share = longest(on, "REFab", "ACT", inside) / on.refresh.interval
    requests = make_stream("rowhit_bg_rr", on.organisation, 40_000)
    plain, refreshed = (serve_all(on, Policy(refresh=how), requests).cycles for how in ("none", "all-bank"))
    assert 1 < refreshed / plain * (1 - share) < 1.02


@EACH
def test_refreshes_come_at_their_multiples(standard: str) -> None:
    """One for every part and interval, never before it is due and soon after."""
    on = device(standard)
    requests = make_stream("random", on.organisation, 5000)
    outcome = serve_all(on, Policy(refresh="all-bank"), requests, log=True)
    size, interval = on.organisation.banks_in, on.refresh.interval
    parts = size["channel"] // size[on.refresh.scope]
    for part in range(parts):
        ticks = [
            tick
            for tick, command, bank, _ in entries(outcome.log)
            if command == "REFab" and bank // size[on.refresh.scope] == part
        ]
        assert len(ticks) >= outcome.done[-1] // interval - 1 > 1
        for number, tick in enumerate(ticks, 1):
            assert 0 <= tick - number * interval < interval // 4


@pytest.mark.parametrize("standard", [name for name in STANDARDS if device(name).refresh.per_bank])
def test_banks_are_refreshed_in_turn(standard: str) -> None:
    on = device(standard)
    requests = make_stream("random", on.organisation, 10_000)
    outcome = serve_all(on, Policy(refresh="per-bank"), requests, log=True)
    size = on.organisation.banks_in[on.refresh.scope]
    banks = [bank for _, command, bank, _ in entries(outcome.log) if command == "REFpb" and bank < size]
    assert banks == [number % size for number in range(len(banks))]
    assert len(banks) > size
    assert outcome.commands["REFab"] == outcome.commands["PREA"] == 0


def test_an_arrival_is_waited_for() -> None:
    on = device("HBM3")
    zeros = np.zeros(2, np.int64)
    outcome = serve_all(on, Policy(), Requests(zeros, zeros, zeros, np.array([0, 1_000_001])), log=True)
    assert [tick for tick, command, _, _ in entries(outcome.log) if command == "RD"] == [62, 1_000_002]


def test_latency_of_a_lone_read() -> None:
    """An activation, a column command, the data: nRCDRD + nCL + nBL clocks of two ticks."""
    on = device("HBM3")
    outcome = serve_all(on, Policy(), make_stream("rowhit_1bank", on.organisation, 1))
    assert outcome.cycles == outcome.read_latency == 2 * (31 + 20 + 2)
    assert (outcome.hits, outcome.misses, outcome.conflicts) == (0, 1, 0)


def test_writes_wait_for_their_watermark() -> None:
    """With 32 places and 80 percent, 25 writes wait while reads go on; the 26th lets all but 6 of them go first."""
    on = device("HBM3")
    kinds = np.array([0] * 4 + [1] * 26 + [0] * 100)
    zeros = np.zeros(len(kinds), np.int64)
    requests = Requests(zeros, zeros, kinds, zeros)
    log = entries(serve_all(on, Policy(), requests, log=True).log)
    order = "".join(command[0] for _, command, _, _ in log if command in ("RD", "WR"))
    first = order.index("W")
    assert order[first : first + 20] == "W" * 20
    assert order[first + 20] == "R"
    assert order.endswith("W" * 6)


def test_the_closed_page_closes_with_the_last_access() -> None:
    on = device("DDR4")
    requests = make_stream("bank_rr_new_row", on.organisation, 200)
    count = serve_all(on, Policy(page="closed"), requests).commands
    assert (count["RDA"], count["RD"], count["PRE"]) == (200, 0, 0)
    count = serve_all(on, Policy(page="closed"), make_stream("rowhit_1bank", on.organisation, 200)).commands
    assert (count["RDA"], count["ACT"]) == (1, 1)
