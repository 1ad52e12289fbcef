"""The kernel does what the controller that defines it does: the same commands at the same ticks."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.memory import Outcome, Policy, Requests, advance_to, offer, open_channel, serve, serve_all
from accelsim.memory.controller import simulate
from accelsim.memory.kernel import DONE
from accelsim.memory.streams import NAMES, make_stream
from tests.memory.draw import STANDARDS, device, drawn

SMALL = Policy(queue=3, write_queue=2, drain_above=60, drain_below=40)


def assert_equal(found: Outcome, wanted: Outcome) -> None:
    assert found == wanted
    assert np.array_equal(found.done, wanted.done)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("refresh", ["none", "all-bank", "per-bank"])
@pytest.mark.parametrize("page", ["open", "closed"])
@pytest.mark.parametrize("standard", STANDARDS)
def test_the_kernel_equals_the_controller(standard: str, page: str, refresh: str, seed: int) -> None:
    on = device(standard)
    if refresh == "per-bank" and not on.refresh.per_bank:
        return
    policy = Policy(page=page, refresh=refresh) if seed else Policy(**{**vars(SMALL), "page": page, "refresh": refresh})
    requests = drawn(on, 100, seed)
    assert_equal(serve_all(on, policy, requests, log=True), simulate(on, policy, requests))


@pytest.mark.parametrize("stream", [name for name in NAMES if not name.endswith("_2pc") or "random" in name])
def test_named_streams_too(stream: str) -> None:
    on = device("HBM3")
    requests = make_stream(stream, on.organisation, 150, reads=70)
    policy = Policy(refresh="all-bank")
    assert_equal(serve_all(on, policy, requests, log=True), simulate(on, policy, requests))


def test_a_log_longer_than_its_room_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    on = device("HBM3")
    requests = drawn(on, 100, 2)
    whole = serve_all(on, Policy(refresh="all-bank"), requests, log=True)
    monkeypatch.setattr("accelsim.memory.run.LOGGED", 5)
    assert_equal(serve_all(on, Policy(refresh="all-bank"), requests, log=True), whole)


@pytest.mark.parametrize("refresh", ["none", "all-bank"])
def test_served_one_by_one(refresh: str) -> None:
    """Each offered when the one before is done: what all of them with those arrivals get."""
    on = device("DDR5")
    requests = drawn(on, 60, 3)
    channel = open_channel(on, Policy(refresh=refresh), 60)
    done: list[int] = []
    for bank, row, write, arrival in zip(*(part.tolist() for part in requests), strict=True):
        done.append(serve(channel, (bank, row, write), max([arrival, *done[-1:]])))
    arrivals = np.maximum(requests.arrival, [0, *done[:-1]])
    again = Requests(requests.bank, requests.row, requests.write, arrivals)
    assert serve_all(on, Policy(refresh=refresh), again).done.tolist() == done


def test_offered_while_others_wait() -> None:
    """Time may stop anywhere: what is offered before its arrival finds the channel as if it had always been known."""
    on = device("HBM2")
    requests = drawn(on, 60, 4)
    channel = open_channel(on, Policy(), 60)
    for bank, row, write, arrival in zip(*(part.tolist() for part in requests), strict=True):
        advance_to(channel, arrival)
        offer(channel, (bank, row, write), arrival)
    advance_to(channel, 1 << 60)
    assert np.array_equal(channel.queue[DONE], serve_all(on, Policy(), requests).done)


def test_a_channel_refuses_what_it_has_no_place_for() -> None:
    channel = open_channel(device("HBM2"), Policy(), 1)
    with pytest.raises(AccelsimError, match=r"row must be from 0 to 65535, got 65536"):
        offer(channel, (0, 65536, 0), 0)
    offer(channel, (0, 0, 0), 0)
    with pytest.raises(AccelsimError, match="the channel was opened for 1 requests"):
        offer(channel, (0, 0, 0), 0)
