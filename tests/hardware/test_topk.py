"""Jobs for top-k engines: that they reach every corner, and that streams say the same as jobs."""

from __future__ import annotations

from collections import Counter

import numpy as np

from accelsim.hardware.topk import CORNERS, TopkJob, corners_of, directed, drawn, job_of, kept_streams, streams_of
from rtl.bench import unpack
from rtl.topk import TopkForm, kept_layout, scores_layout

FORM = TopkForm(score_bits=6, index_bits=5, input_lanes=2, lanes=4, most=23)


def test_directed_jobs_reach_every_corner() -> None:
    found = Counter(corner for job in directed(FORM, np.random.default_rng(1)) for corner in corners_of(FORM, job))
    assert set(found) == set(CORNERS)


def test_drawn_jobs_reach_every_corner() -> None:
    rng = np.random.default_rng(1)
    found = Counter(corner for _ in range(1000) for corner in corners_of(FORM, drawn(FORM, rng)))
    assert set(found) == set(CORNERS)
    assert min(found.values()) >= 5


def test_corners_of_jobs_by_hand() -> None:
    form = TopkForm(score_bits=4, index_bits=1, input_lanes=2, lanes=4, most=9)

    def found(scores: list[int], k: int) -> set[str]:
        return corners_of(form, TopkJob(tuple(scores), (0,) * len(scores), k, 0))

    assert found([], 0) == {"n is 0"}
    assert found([], 2) == {"n is 0", "k is above n"}
    assert found([7, 7, 7], 1) == {
        *("n is one above a beat", "n is one below a row", "k is 1"),
        *("all equal", "ties over the threshold", "ties within a beat"),
    }
    assert found([1, 7, 7, 2, 3, 3], 2) == set()
    assert found([1, 7, 7, 2, 3, 3], 1) == {"k is 1", "ties over the threshold", "ties over a beat"}
    assert found([1, 2, 2, 4, 5, 6, 7, 8, 9], 9) == {"n is most", "k is n", "rising"}


def test_streams_say_the_same_as_the_job() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        job = drawn(FORM, rng)
        streams = streams_of(FORM, job, rng)
        given, left = unpack(scores_layout(FORM), streams["scores"]), kept_streams(FORM, streams)["kept"]
        beats = len(streams["scores"])
        assert len(streams["cmd"]) == 1
        assert given["last"].tolist() == [0] * (beats - 1) + [1]
        assert all(given["count"][:-1] == FORM.input_lanes)
        assert given["score"].reshape(-1)[: job.n].tolist() == list(job.scores)
        kept = unpack(kept_layout(FORM), left)
        assert kept["index"].reshape(-1)[: len(job.kept)].tolist() == [job.indices[place] for place in job.kept]
        assert kept["count"].sum() == len(job.kept) == min(job.k, job.n)
        assert set(kept["tag"].tolist()) == {job.tag}


def test_unused_lanes_may_equal_the_threshold() -> None:
    """What they hold must not count, so it has to be worth counting."""
    rng = np.random.default_rng(3)
    job = job_of(FORM, np.array([9]), 1, rng)
    seen = {unpack(scores_layout(FORM), streams_of(FORM, job, rng)["scores"])["score"][0, 1] == 9 for _ in range(50)}
    assert seen == {True, False}
