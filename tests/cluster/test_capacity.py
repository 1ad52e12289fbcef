"""Room for sequences: what fits does, one more does not, and memory of the units' own counts in every node."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cluster import room
from tests.cluster.named import MODELS, model, system

ROOMY = ("attacc", "dgx-a100", "duplex")


@given(st.sampled_from(ROOMY), st.sampled_from(MODELS), st.integers(1, 1 << 20), st.integers(1, 3))
def test_as_many_as_fit(name: str, of: str, length: int, nodes: int) -> None:
    found = room(replace(system(name), nodes=nodes), model(of), length)
    assert found.most == 0 or found.weights + found.most * found.cache <= found.capacity
    assert found.weights + (found.most + 1) * found.cache > found.capacity


@pytest.mark.parametrize("name", ROOMY)
def test_nodes_and_lengths_scale(name: str) -> None:
    one, two = (room(replace(system(name), nodes=nodes), model("mixtral-8x7b"), 4096) for nodes in (1, 2))
    assert (two.weights, two.capacity, two.cache) == (2 * one.weights, 2 * one.capacity, one.cache)
    assert 2 * one.most <= two.most <= 2 * one.most + 1
    assert room(system(name), model("mixtral-8x7b"), 8192).cache == 2 * one.cache


@pytest.mark.golden
def test_18_requests_of_gpt3_fit_eight_a100() -> None:
    """And 54 beside as much memory again: AttAcc (ASPLOS 2024), requests of 2048 + 2048 tokens."""
    assert room(system("dgx-a100"), model("gpt3-175b"), 4096).most == pytest.approx(18, abs=1)
    assert room(system("attacc"), model("gpt3-175b"), 4096).most == pytest.approx(54, abs=1)


def test_memory_of_the_units_counts_once_for_a_node() -> None:
    ours, theirs = (room(system(name), model("gpt3-175b"), 4096) for name in ("attacc", "dgx-a100"))
    assert ours.capacity - theirs.capacity == 640 * 2**30
    assert room(system("duplex"), model("glam"), 1).capacity == room(system("h100-node"), model("glam"), 1).capacity


def test_what_does_not_fit_is_none_rather_than_less() -> None:
    assert room(system("h100-node"), model("grok-1"), 4096).most == 0
