"""All channels as one port: the same as every channel alone with the arrivals known beforehand, and the same bursts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.memory import Policy, load_device, make_stream, serve_all
from accelsim.memory.addresses import read_map
from accelsim.memory.bursts import Run, bursts_of, places_of
from accelsim.memory.model import Device, Integers, Requests
from accelsim.memory.port import FAR, Port, begin, ended, open_port, outcomes
from accelsim.yamlfile import load_value
from tests.memory.draw import STANDARDS, device

Asked = tuple[int, list[Run], bool]  # when, what, whether it is written
POLICIES = (
    Policy(refresh="all-bank"),
    Policy(queue=3, write_queue=5, page="closed", drain_above=60, drain_below=30),
)
MAPS = ("ro ba ra co bg pc ch", "ch pc ro co ra bg ba", "ro co ba bg ra pc ch")


def with_channels(standard: str, channels: int, order: str = MAPS[0]) -> Device:
    """A device with another number of channels and another map."""
    found = device(standard)
    shape = replace(found.organisation, channels=channels)
    return replace(found, organisation=shape, address_map=read_map(load_value(order), shape))


def some_runs(rng: Random, limit: int) -> list[Run]:
    """A tile: rows at a distance, now and then several, of up to a few KiB."""
    runs = []
    for _ in range(rng.choice([1, 1, 2])):
        size, count = rng.choice([1, 7, 32, 64, 100, 1024]), rng.choice([1, 1, 2, 9])
        distance = size + rng.choice([0, 1, 32, 4096, 1 << 16])
        runs.append((rng.randrange(limit - count * distance), size, distance, count))
    return runs


def play(port: Port, rng: Random, transfers: int) -> tuple[list[Asked], dict[int, int]]:
    """Ask for transfers at random times, never before the last one is taken; what was asked, and when each ended."""
    asked, ends, now = list[Asked](), dict[int, int](), 0
    limit = min(port.device.organisation.bytes, 1 << 24)
    for _ in range(transfers):
        runs, write = some_runs(rng, limit), rng.random() < 0.4
        _, free = begin(port, runs, write, now)
        asked.append((now, runs, write))
        after = free + rng.choice([0, 0, 0, 3, 50, 20_000])
        while found := ended(port, after):
            assert all(tick > now for _, tick in found)
            ends |= dict(found)
        now = after
    while found := ended(port):
        ends |= dict(found)
    return asked, ends


def alone(on: Device, policy: Policy, asked: Sequence[Asked]) -> dict[int, int]:
    """When the last burst of each transfer has passed, where every channel serves its requests by itself."""
    columns = [
        (number, now, int(write), *place)
        for number, (now, runs, write) in enumerate(asked)
        for place in zip(*places_of(on, bursts_of(runs, on.organisation.burst_bytes)), strict=True)
    ]
    number, arrival, write, channel, bank, row = (np.array(part, np.int64) for part in zip(*columns, strict=True))
    ends = dict.fromkeys(range(len(asked)), 0)
    for one in np.unique(channel).tolist():
        own: Integers = np.flatnonzero(channel == one)
        done = serve_all(on, policy, Requests(bank[own], row[own], write[own], arrival[own])).done
        for who, tick in zip(number[own].tolist(), done.tolist(), strict=True):
            ends[who] = max(ends[who], tick)
    return ends


@pytest.mark.parametrize("policy", POLICIES, ids=("refreshed", "small"))
@pytest.mark.parametrize("standard", STANDARDS)
def test_every_transfer_ends_as_if_all_had_been_known(standard: str, policy: Policy) -> None:
    """Time passes window by window here, and all at once there."""
    for seed, channels in ((1, 1), (2, 3)):
        on = with_channels(standard, channels)
        port = open_port(on, policy)
        asked, ends = play(port, Random(seed), 60)
        assert ends == alone(on, policy, asked)


@pytest.mark.parametrize("room", [1, 64])
def test_forgetting_what_is_done_changes_nothing(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    on, policy = with_channels("HBM3", 2), Policy(refresh="per-bank")
    whole = open_port(on, policy)
    asked, ends = play(whole, Random(3), 150)
    monkeypatch.setattr("accelsim.memory.port.ROOM", room)
    port = open_port(on, policy)
    assert play(port, Random(3), 150) == (asked, ends)
    assert outcomes(port, 10**6) == outcomes(whole, 10**6)
    assert port.queues.shape[2] < whole.queues.shape[2]


def test_a_transfer_too_large_is_refused() -> None:
    port = open_port(with_channels("HBM3", 1), Policy())
    with pytest.raises(
        AccelsimError, match=f"a transfer of {(1 << 24) + 1} bursts; at most {1 << 24} can be served as one"
    ):
        begin(port, [(0, 32 << 24, 0, 1)], False, 0)


def test_what_is_done_adds_up() -> None:
    """Every burst is a hit, a miss or a conflict; every ACT opens for one of the latter two."""
    on, policy = with_channels("DDR5", 2), Policy(refresh="all-bank")
    port = open_port(on, policy)
    asked, _ = play(port, Random(5), 80)
    bursts = sum(len(bursts_of(runs, on.organisation.burst_bytes)) for _, runs, _ in asked)
    found = outcomes(port, 10**6)
    assert sum(one.hits + one.misses + one.conflicts for one in found) == bursts
    assert sum(one.commands["RD"] + one.commands["WR"] for one in found) == bursts
    assert sum(one.commands["ACT"] for one in found) == sum(one.misses + one.conflicts for one in found)


def test_a_stream_is_the_stream() -> None:
    """Bytes one after another through one channel are the stream along its rows, tick by tick."""
    on, policy = with_channels("LPDDR5", 1, "ro ba bg co ra pc ch"), Policy(refresh="all-bank")
    wanted = serve_all(on, policy, make_stream("seq_RoBaBgCo", on.organisation, 4000)).cycles
    size = 4000 * on.organisation.burst_bytes
    port = open_port(on, policy)
    begin(port, [(0, size, size, 1)], False, 0)
    assert ended(port) == [(0, wanted)]
    parts = open_port(on, policy)
    now, ends = 0, list[int]()
    for number in range(100):
        _, now = begin(parts, [(number * size // 100, size // 100, 0, 1)], False, now)
    while found := ended(parts):
        ends += [tick for _, tick in found]
    assert max(ends) == wanted, "cut into transfers that enter one behind another it takes as long"


@pytest.mark.parametrize("order", MAPS)
@pytest.mark.parametrize("standard", ["HBM3", "DDR4"])
def test_the_kernel_places_bursts_as_the_definition_does(standard: str, order: str) -> None:
    from accelsim.memory.burst_kernel import most_bursts, placed
    from accelsim.memory.bursts import steps_of

    on, rng = with_channels(standard, 3, order), Random(7)
    for _ in range(50):
        runs = some_runs(rng, on.organisation.bytes)
        table, size = np.array(runs, np.int64), on.organisation.burst_bytes
        bursts = bursts_of(runs, size)
        assert most_bursts(table, size) >= len(bursts)
        places, counts = np.zeros((3, most_bursts(table, size)), np.int64), np.zeros(3, np.int64)
        number = placed(table, size, steps_of(on), places, counts)
        assert number == len(bursts)
        assert (places[:, :number] == np.array(places_of(on, bursts))).all()
        assert counts.tolist() == np.bincount(places[0, :number], minlength=3).tolist()


def test_bursts_cover_bytes() -> None:
    """Every byte lies in a burst that is asked for; neighbours share one, what is asked for again is moved again."""
    assert bursts_of([(10, 50, 0, 1)], 32) == [0, 1]
    assert bursts_of([(0, 8, 8, 8)], 32) == [0, 1]
    assert bursts_of([(0, 8, 64, 3)], 32) == [0, 2, 4]
    assert bursts_of([(0, 4, 0, 3)], 32) == [0, 0, 0]
    assert bursts_of([(0, 64, 0, 2)], 32) == [0, 1, 0, 1]
    rng = Random(11)
    for _ in range(100):
        runs = some_runs(rng, 1 << 20)
        touched = {
            byte // 32
            for first, size, distance, count in runs
            for n in range(count)
            for byte in range(first + n * distance, first + n * distance + size)
        }
        assert set(bursts_of(runs, 32)) == touched


def test_two_bursts_at_once_need_two_channels() -> None:
    """Channels do not touch each other: twice the channels, half the time behind the latency."""
    one, two = (open_port(with_channels("HBM3", n, "ro ba ra co bg pc ch"), Policy()) for n in (1, 2))
    size = 1 << 18
    ticks = []
    for port in (one, two):
        begin(port, [(0, size, 0, 1)], False, 0)
        ticks.append(ended(port, FAR)[0][1])
    assert ticks[0] / ticks[1] == pytest.approx(2, rel=0.05)
    assert load_device("HBM3", "HBM3_16Gb_8hi", None).organisation.channels == 16
