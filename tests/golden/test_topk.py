"""Which scores top-k engines keep: against a stable sort, laws, cases by hand, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.golden.topk import topk_stable

JOBS = st.tuples(st.lists(st.integers(0, 9) | st.integers(0, 2**48), max_size=40), st.integers(0, 45))


@given(JOBS)
def test_it_is_the_beginning_of_a_stable_sort(job: tuple[list[int], int]) -> None:
    scores, k = job
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    assert topk_stable(scores, k).tolist() == sorted(order[:k])


@given(JOBS)
def test_nothing_dropped_beats_what_is_kept(job: tuple[list[int], int]) -> None:
    scores, k = job
    kept = topk_stable(scores, k).tolist()
    dropped = sorted(set(range(len(scores))) - set(kept))
    assert len(kept) == min(k, len(scores))
    assert all((scores[x], -x) > (scores[y], -y) for x in kept for y in dropped)


@given(JOBS)
def test_more_keep_what_fewer_keep(job: tuple[list[int], int]) -> None:
    scores, k = job
    assert set(topk_stable(scores, k).tolist()) <= set(topk_stable(scores, k + 1).tolist())


@pytest.mark.parametrize(
    ("scores", "k", "kept"),
    [
        ([], 0, []),
        ([], 3, []),
        ([7], 1, [0]),
        ([3, 3, 3, 3], 2, [0, 1]),
        ([1, 3, 2, 3, 3], 2, [1, 3]),
        ([1, 3, 2, 3, 3], 4, [1, 2, 3, 4]),
        ([1, 2, 1, 2, 1], 4, [0, 1, 2, 3]),
        ([-1, -5, -1], 1, [0]),
    ],
)
def test_cases_by_hand(scores: list[int], k: int, kept: list[int]) -> None:
    assert topk_stable(scores, k).tolist() == kept
    assert topk_stable(np.array(scores, np.int64), k).tolist() == kept


@pytest.mark.parametrize(
    ("scores", "k", "message"),
    [
        ([1, 2], -1, "k must be at least 0, not -1"),
        ([1.5], 1, "scores must be a vector of integers, not float64 of shape [1]"),
        ([[1], [2]], 1, "scores must be a vector of integers, not int64 of shape [2, 1]"),
    ],
)
def test_what_is_no_job_is_refused(scores: Any, k: int, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        topk_stable(scores, k)
    assert str(caught.value) == message
