"""Executors: the same answers here and in processes, and deaths that cost one item at most."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim import pool
from accelsim.errors import AccelsimError
from accelsim.pool import Crashed, run_local
from tests import tasks


def test_one_worker_answers_in_order() -> None:
    assert list(run_local(tasks.double, [5, 6, 7], 1)) == [(0, 10), (1, 12), (2, 14)]


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_to_do_starts_nothing(workers: int) -> None:
    assert list(run_local(tasks.double, [], workers)) == []


@given(st.integers(0, 1000), st.integers(1, 64))
def test_chunks_cover_every_item_once(count: int, workers: int) -> None:
    chunks = pool._chunks(count, workers)
    assert [index for chunk in chunks for index in chunk] == list(range(count))
    assert all(1 <= len(chunk) <= pool.LARGEST_CHUNK for chunk in chunks)


def test_processes_answer_like_one_worker() -> None:
    assert sorted(run_local(tasks.double, range(20), 2)) == list(run_local(tasks.double, range(20), 1))


def test_an_item_that_kills_is_given_up_and_the_others_are_answered() -> None:
    answers = dict(run_local(tasks.double_or_die, range(6), 2))
    assert answers == {0: 0, 1: 2, 2: 4, 3: Crashed(), 4: 8, 5: 10}


def test_an_item_that_killed_once_is_tried_again(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "once"]
    assert dict(run_local(tasks.die_once, paths, 2)) == {0: "a", 1: "once"}


def test_processes_that_do_not_start_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_serve", tasks.die)
    with pytest.raises(AccelsimError, match="processes do not start"):
        list(run_local(tasks.double, [1], 2))


def test_what_a_task_raises_ends_the_run() -> None:
    with pytest.raises(ValueError, match="seven"):
        list(run_local(tasks.refuse_seven, range(9), 2))
