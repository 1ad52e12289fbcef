"""Error and cost of an approximation: exact where nothing is dropped, and what numpy says where something is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.fidelity import Scores, fidelities, fidelity, score_fidelities, score_fidelity
from accelsim.workload import Workload, load_workload

SIZES = ["LAYERS=4", "H=3", "M=16", "E=64", "F=5", "WHOLE=1", "HWHOLE=4"]
SHAPE = (4, 3, 16, 16)


def pruned(*changes: str) -> Workload:
    return load_workload("pruned-attention", [*SIZES, *changes])


def attention(scores: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: NDArray[Any] = raised / raised.sum(axis=-1, keepdims=True) @ values
    return found


def test_without_pruning_nothing_is_lost_and_nothing_saved() -> None:
    (found,) = score_fidelity(pruned(), pruned(), Scores(seed=1))
    assert (found.output, found.largest, found.relative) == ("AO", 0.0, 0.0)
    assert found.cost == found.exact_cost
    assert found.cost.macs == 4 * 3 * 16 * 16 * (64 + 5)  # at the depth of the workload, not at that of the scores


def test_values_that_have_no_weight_cost_nothing_to_leave_out() -> None:
    """Scores that leave four keys a part of 1e-26: the twelve others are not fetched, and nothing changes."""
    scores = np.zeros(SHAPE)
    scores[..., :12] = -60.0
    (found,) = score_fidelity(pruned("VKEEP=250"), pruned(), scores)
    assert found.largest < 1e-24
    assert found.cost.macs == 4 * 3 * 16 * (16 * 64 + 4 * 5)


def test_the_error_of_local_pruning_is_that_of_attention_without_the_smallest() -> None:
    scores, values = Scores(seed=3).drawn(SHAPE), np.random.default_rng(4).standard_normal((4, 3, 16, 5))
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = raised / raised.sum(axis=-1, keepdims=True)
    least = np.sort(weights, axis=-1)[..., -8:-7]
    expected = np.where(weights >= least, weights, 0.0) @ values
    exact = attention(scores, values)
    (found,) = score_fidelity(pruned("VKEEP=500"), pruned(), scores, values)
    assert found.largest == pytest.approx(np.abs(expected - exact).max())
    assert found.relative == pytest.approx(np.linalg.norm(expected - exact) / np.linalg.norm(exact))


def test_it_is_cheaper_to_drop_what_all_queries_look_past() -> None:
    """The same share of tokens dropped after the first layer: less is lost where queries agree on them."""
    errors = []
    for shared in (0.0, 0.9):
        (found,) = score_fidelity(pruned("DROP0=500"), pruned(), Scores(seed=5, spread=4.0, shared=shared))
        assert found.relative is not None
        errors.append(found.relative)
    assert errors[1] < errors[0]


def test_the_error_of_what_is_left_leaves_out_what_was_dropped() -> None:
    """Equal scores: every key weighs the same, so half the tokens stand for all of them."""
    values = np.broadcast_to(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), (4, 3, 16, 5))
    (found,) = score_fidelity(pruned("DROP0=500"), pruned(), np.zeros(SHAPE), values)
    assert found.relative_left == pytest.approx(0.0, abs=1e-12)
    assert found.relative == pytest.approx((3 / 4 * 1 / 2) ** 0.5)  # half the tokens, in three of four layers


def test_more_pruning_saves_more() -> None:
    efforts = [score_fidelity(pruned(f"DROP0={drop}"), pruned(), Scores(seed=2))[0].cost for drop in (0, 250, 500, 750)]
    for field in ("macs", "operations", "bytes"):
        costs = [getattr(effort, field) for effort in efforts]
        assert costs == sorted(costs, reverse=True)
        assert costs[0] > costs[-1]


def test_queries_and_keys_give_the_same_as_their_scores() -> None:
    rng = np.random.default_rng(6)
    inputs = {name: rng.standard_normal((4, 3, 16, 64 if name in "QK" else 5)) for name in "QKV"}
    inputs["SC"] = np.array(0.1)
    scores = 0.1 * np.einsum("lhqe,lhke->lhqk", inputs["Q"], inputs["K"])
    changes = ("DROP0=400", "VKEEP=500")
    one = fidelity(pruned(*changes), pruned(), inputs)
    other = score_fidelity(pruned(*changes), pruned(), scores, inputs["V"])
    assert one[0].cost == other[0].cost
    assert one[0].relative == pytest.approx(other[0].relative)
    assert one[0].largest == pytest.approx(other[0].largest)


def test_refetching_every_row_costs_more_and_differs_less() -> None:
    """Low bits of the keys: never fetched, or always; the exact one is without pruning and fetches always."""
    sizes = ["LAYERS=2", "TOKENS=2", "PROMPT=6", "H=2", "E=8"]
    workload, rng = load_workload("pruned-decode", sizes), np.random.default_rng(7)
    shapes = {"Q": (4, 2, 8), "KM": (4, 2, 8, 8), "KL": (4, 2, 8, 8), "V": (4, 2, 8, 8), "S0": (8,), "H0": (2,)}
    inputs = {name: rng.integers(0, 16, shape).astype(float) for name, shape in shapes.items()}
    inputs["SC"] = np.array(0.001)
    never = fidelity(workload, workload, {**inputs, "TAU": np.array(0.0)})[0].cost
    always = fidelity(workload, workload, {**inputs, "TAU": np.array(2.0)})[0].cost
    rows = 2 * (2 * 7 + 2 * 8)  # heads x (layers x keys of each token)
    assert always.macs - never.macs == rows * 8
    assert 8 * (always.bytes - never.bytes) == rows * 8 * 4


def test_the_worst_row_is_that_of_a_query() -> None:
    """By numpy, row by row: half the values of each query left out."""
    scores, values = Scores(seed=3).drawn(SHAPE), np.random.default_rng(4).standard_normal((4, 3, 16, 5))
    exact = attention(scores, values)
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = raised / raised.sum(axis=-1, keepdims=True)
    least = np.sort(weights, axis=-1)[..., -8:-7]
    rows = np.linalg.norm(np.where(weights >= least, weights, 0.0) @ values - exact, axis=-1)
    (found,) = score_fidelity(pruned("VKEEP=500"), pruned(), scores, values)
    assert found.worst_row == pytest.approx((rows / np.linalg.norm(exact, axis=-1)).max())


def test_what_selections_keep_is_what_the_schedule_says() -> None:
    """Half of 16 tokens in three of four layers, and a quarter of the values of those left."""
    (found,) = score_fidelity(pruned("DROP0=500", "VKEEP=250"), pruned(), Scores(seed=1))
    tokens, values = 16 + 3 * 8, 16 * 4 + 3 * 8 * 2
    assert found.kept == {"TI": tokens / 64, "HI": 1.0, "VI": values / (4 * 16 * 16)}
    (same,) = score_fidelity(pruned(), pruned(), Scores(seed=1))
    assert set(same.kept.values()) == {1.0}


def test_settings_together_are_what_they_are_alone() -> None:
    some = [pruned(f"VKEEP={keep}") for keep in (1000, 400)]
    assert score_fidelities(some, pruned(), Scores(seed=1)) == [
        score_fidelity(one, pruned(), Scores(seed=1)) for one in some
    ]


# What is refused.


def test_settings_of_other_sizes_are_refused() -> None:
    with pytest.raises(
        AccelsimError, match=r"^Q has the shape \[4, 3, 8, 64\], and \[4, 3, 16, 64\] in the exact one$"
    ):
        score_fidelities([pruned(), pruned("M=8")], pruned(), Scores(seed=1))
    with pytest.raises(AccelsimError, match=r"^fidelity is of a workload of one step; encoder-layer has \d+$"):
        fidelities([load_workload("encoder-layer", ["B=1", "L=8", "H=1", "D=8", "S=8", "E=8"])], pruned(), {})


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(AccelsimError, match=r"^scores must have shape \[4, 3, 16, 16\], got \[4, 3, 16, 5\]$"):
        score_fidelity(pruned(), pruned(), np.zeros((4, 3, 16, 5)))


def test_scores_need_queries_and_keys() -> None:
    decode = load_workload("pruned-decode", ["LAYERS=2", "PROMPT=6", "H=2"])
    with pytest.raises(AccelsimError, match=r"^scores are for .* Q, K, V and SC; pruned-decode reads Q, KM, KL, V, "):
        score_fidelity(decode, decode, Scores(seed=1))


def test_outputs_must_be_the_same() -> None:
    gemm = load_workload("gemm", ["M=2"])
    with pytest.raises(AccelsimError, match=r"^fidelity compares equal outputs, got AO and C$"):
        fidelity(pruned(), gemm, {})


def test_a_share_of_more_than_all_is_refused() -> None:
    with pytest.raises(AccelsimError, match=r"^shared must be from 0 to 1 and spread positive, got 2 and 1.0$"):
        Scores(seed=1, spread=1.0, shared=2).drawn(SHAPE)
