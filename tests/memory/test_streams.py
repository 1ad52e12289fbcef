"""Named streams are what their definitions say."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.memory import make_stream
from accelsim.memory.streams import draw
from tests.memory.draw import device

HBM3 = device("HBM3").organisation


def test_the_generator_is_the_one_that_is_said() -> None:
    state, wanted = 12345, []
    for _ in range(1000):
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        wanted.append(state >> 33)
    assert draw(12345, 1000).tolist() == wanted
    assert draw(12345, 1).tolist() == wanted[:1]


def places(name: str, count: int) -> list[tuple[int, int, int, int]]:
    """Pseudo-channel, bank group, bank and row of every request."""
    requests = make_stream(name, HBM3, count)
    return [
        (bank // 32, bank // 4 % 4, bank % 4, row)
        for bank, row in zip(requests.bank.tolist(), requests.row.tolist(), strict=True)
    ]


def test_regular_streams() -> None:
    """HBM3: two pseudo-channels, four bank groups of four banks, 32 bursts a row."""
    assert set(places("rowhit_1bank", 50)) == {(0, 0, 0, 0)}
    assert places("rowhit_bg_rr", 6) == [(0, at % 4, 0, 0) for at in range(6)]
    assert places("rowhit_bg_rr_2pc", 6) == [(at % 2, at // 2 % 4, 0, 0) for at in range(6)]
    assert places("bank_conflict", 3) == [(0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 2)]
    assert places("bank_rr_new_row", 18)[-3:] == [(0, 3, 3, 0), (0, 0, 0, 1), (0, 1, 0, 1)]
    assert places("seq_RoBaBgCo", 600)[31:513:32] == [
        (0, at // 32 % 4, at // 128 % 4, at // 512) for at in range(31, 513, 32)
    ]
    assert places("seq_RoBaCoBg", 600)[126:130] == [(0, 2, 0, 0), (0, 3, 0, 0), (0, 0, 1, 0), (0, 1, 1, 0)]


def test_random_streams_draw_in_order() -> None:
    drawn = draw(12345, 8).tolist()
    assert places("random", 2) == [(0, drawn[at] % 4, drawn[at + 1] % 4, drawn[at + 2] % 16384) for at in (0, 4)]
    drawn = draw(12345, 5).tolist()
    assert places("random_2pc", 1) == [(drawn[0] % 2, drawn[1] % 4, drawn[2] % 4, drawn[3] % 16384)]


def test_shares_of_reads() -> None:
    assert make_stream("random", HBM3, 100).write.sum() == 0
    assert make_stream("random", HBM3, 100, reads=0).write.sum() == 100
    assert make_stream("random", HBM3, 10_000, reads=75).write.mean() == pytest.approx(0.25, abs=0.02)
    assert np.array_equal(make_stream("random", HBM3, 50, reads=75).bank, make_stream("random", HBM3, 50).bank)


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("randm", 10, 'no stream named "randm"; did you mean "random"?'),
        ("random", 0, "requests: must be from 1 to 20000000, got 0"),
    ],
)
def test_refusals(name: str, count: int, message: str) -> None:
    with pytest.raises(AccelsimError) as error:
        make_stream(name, HBM3, count)
    assert message in str(error.value)


def test_two_pseudo_channels_need_two() -> None:
    with pytest.raises(AccelsimError, match="DDR4_8Gb_x8 has one pseudo-channel"):
        make_stream("random_2pc", device("DDR4").organisation, 10)
