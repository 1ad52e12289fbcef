"""Pairs of different lengths: dealt completely and evenly, simulated as equal ones are, and told of."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.errors import AccelsimError
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_deal import DEALS, in_turn, least_loaded, spread_lengths
from accelsim.memory.pim_run import run_attention
from accelsim.memory.pim_stream import Attention, RaggedAttention

LENGTHS = st.lists(st.integers(1, 3000), max_size=60)
GIVEN = ["level=bank", "head_dim=128", "bytes=2", "power_limit=true"]


@given(LENGTHS, st.integers(1, 20), st.sampled_from(sorted(DEALS)))
def test_every_pair_goes_to_one_channel(lengths: list[int], channels: int, deal: str) -> None:
    dealt = DEALS[deal](lengths, channels)
    assert len(dealt) == channels
    assert Counter(length for each in dealt for length in each) == Counter(lengths)


@given(LENGTHS, st.integers(1, 20))
def test_turns_differ_by_one_pair(lengths: list[int], channels: int) -> None:
    assert {len(each) for each in in_turn(lengths, channels)} <= {
        len(lengths) // channels,
        -(-len(lengths) // channels),
    }


@given(LENGTHS, st.integers(1, 20))
def test_longest_first_is_within_a_third_of_what_is_possible(lengths: list[int], channels: int) -> None:
    """Graham (1969): at most 4/3 - 1/3n of the best; the best is at least the mean, the longest, and two of the n + 1
    longest."""
    most = max(map(sum, least_loaded(lengths, channels)))
    longest = sorted(lengths, reverse=True)
    two = sum(longest[channels - 1 : channels + 1]) if len(longest) > channels else 0
    best = max([sum(lengths) / channels, two, *longest[:1]])
    assert most <= best + (longest[channels:] or [0])[0] * (channels - 1) / channels
    assert best <= most


def test_the_best_deal_of_graham_is_missed_by_a_ninth() -> None:
    """The case where longest first is worst: 5 5 4 4 3 3 3 on three gives 11, where 9 is possible."""
    assert max(map(sum, least_loaded((5, 5, 4, 4, 3, 3, 3), 3))) == 11


def test_equal_lengths_are_the_equal_job() -> None:
    for level, pairs in [("bank", 16), ("bank-group", 20), ("buffer", 1)]:
        stack = load_stack("HBM3-PIM", level, "corrected", power_limit=True)
        equal = run_attention(stack, Attention(pairs, 300, 128, 2))
        for deal in DEALS:
            ragged = run_attention(stack, RaggedAttention((300,) * pairs, 128, 2), deal)
            assert (ragged.cycles, ragged.counts) == (equal.cycles, equal.counts)
            assert ragged.log.tolist() == equal.log.tolist()


def test_a_channel_takes_what_it_takes_alone() -> None:
    """Without softmax channels do not touch each other: each as in a stack that has only its pairs."""
    stack = load_stack("HBM3-PIM", "bank", "released", power_limit=True)
    lengths = spread_lengths(40, 500, 400, seed=3)
    run = run_attention(stack, RaggedAttention(lengths, 128, 2))
    for each, channel in zip(in_turn(lengths, 16), run.channels, strict=True):
        padded = tuple(length for pair in each for length in (pair,) + (1,) * 15)
        alone = run_attention(stack, RaggedAttention(padded, 128, 2)).channels[0]
        assert channel == alone
    assert run.cycles == max(channel.cycles for channel in run.channels)


def test_as_many_reads_as_positions_ask_for() -> None:
    stack = load_stack("HBM3-PIM", "bank", "released", power_limit=True)
    lengths = spread_lengths(40, 500, 400, seed=3)
    run = run_attention(stack, RaggedAttention(lengths, 128, 2), "least-loaded")
    assert sum(channel.counts["MAC"] for channel in run.channels) == sum(2 * 2 * -(-length // 16) for length in lengths)


def test_lengths_are_drawn_from_a_seed() -> None:
    drawn = spread_lengths(1000, 500, 100, seed=1)
    assert drawn == spread_lengths(1000, 500, 100, seed=1) != spread_lengths(1000, 500, 100, seed=2)
    assert 400 <= min(drawn) < 405
    assert 595 < max(drawn) <= 600
    assert sum(drawn) / 1000 == pytest.approx(500, rel=0.02)


def test_an_unknown_deal_is_refused() -> None:
    stack = load_stack("HBM3-PIM", "bank", "released", power_limit=True)
    with pytest.raises(AccelsimError, match='deal: there is no "in-trun"; did you mean "in-turn"'):
        run_attention(stack, Attention(1, 1, 1, 2), "in-trun")


def probe(capsys: pytest.CaptureFixture[str], *settings: str) -> dict[str, Any]:
    words = [word for setting in (*GIVEN, *settings) for word in ("--set", setting)]
    assert main(["unit", "pim", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_probe_tells_how_even_channels_are(capsys: pytest.CaptureFixture[str]) -> None:
    even = probe(capsys, "pairs=32", "length=100")
    assert even["report"]["imbalance"] == 1
    assert even["report"]["channels"]["pairs"] == {"mean": 2, "max": 2}
    one = probe(capsys, "lengths=[1000]")
    assert one["report"]["imbalance"] == 16
    assert one["report"]["channels"]["positions"] == {"mean": 62.5, "max": 1000}
    assert one["report"]["seconds"] == pytest.approx(one["cycles"] * 769e-12)
    spread = ("pairs=100", "length=1000", "spread=900")
    turns, loaded = probe(capsys, *spread), probe(capsys, *spread, "deal=least-loaded")
    assert 1 <= loaded["report"]["imbalance"] < turns["report"]["imbalance"]
    assert loaded["cycles"] < turns["cycles"]
    assert loaded["report"]["commands"]["MAC"] == turns["report"]["commands"]["MAC"]


def test_the_probe_asks_for_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for setting in (*GIVEN, "pairs=3") for word in ("--set", setting)]
    assert main(["unit", "pim", *words]) == 2
    assert "length: must be given where lengths are not: --set length=VALUE" in capsys.readouterr().err
    main(["unit", "pim", *words[:-1], "lengths=[30,4000]"])
    text = capsys.readouterr().out
    assert "  lengths: 30, 4000\n" in text
    assert "  channels pairs: mean 0.125, max 1\n" in text
