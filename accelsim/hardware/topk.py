"""Jobs for top-k engines, drawn and picked: as their streams carry them, what they keep, which corners they reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelsim.golden.fixed import Codes
from accelsim.golden.topk import topk_stable
from accelsim.hardware.draw import few_or_many
from rtl.bench import pack, unpack
from rtl.sim.case import Streams
from rtl.topk import TopkForm, command_layout, kept_layout, scores_layout

Rng = np.random.Generator
EMPTY = 0.03  # share of jobs without a score


@dataclass(frozen=True)
class TopkJob:
    """One job: scores in the order in which they come, what names each, how many to keep, and what names the job."""

    scores: tuple[int, ...]
    indices: tuple[int, ...]
    k: int
    tag: int

    @property
    def n(self) -> int:
        """How many scores there are."""
        return len(self.scores)

    @property
    def bypasses(self) -> bool:
        """Whether there is nothing to choose."""
        return self.k == 0 or self.k >= self.n

    @property
    def kept(self) -> tuple[int, ...]:
        """Places of what is kept."""
        return tuple(topk_stable(np.array(self.scores, np.int64), self.k).tolist())


def drawn(form: TopkForm, rng: Rng) -> TopkJob:
    """Any job: few scores or many, of many kinds, any k."""
    n = 0 if rng.random() < EMPTY else few_or_many(form.most, rng)
    return job_of(form, scores_like(form, n, rng), some_k(form, n, rng), rng)


def job_of(form: TopkForm, scores: Codes, k: int, rng: Rng) -> TopkJob:
    """A job of these scores, with names at random."""
    indices = rng.integers(0, 1 << form.index_bits, len(scores))
    return TopkJob(tuple(scores.tolist()), tuple(indices.tolist()), k, int(rng.integers(0, 1 << form.tag_bits)))


def scores_like(form: TopkForm, n: int, rng: Rng) -> Codes:
    """Any; of few values; all equal; of two values; rising; falling; most of them small; alike but for low bits."""
    most = (1 << form.score_bits) - 1
    anything = rng.integers(0, most, n, endpoint=True)
    near = rng.integers(0, 1 << int(rng.integers(1, form.score_bits + 1)), n)
    kinds = (
        anything,
        rng.choice(rng.integers(0, most, int(rng.integers(1, 6)), endpoint=True), n),
        np.full(n, rng.integers(0, most, endpoint=True)),
        rng.choice(rng.choice((0, 1, most - 1, most, int(anything.max(initial=0))), 2), n),
        np.sort(anything),
        np.sort(anything)[::-1],
        np.floor(np.exp(rng.normal(0, 2, n) - 6) * most).astype(np.int64),
        int(rng.integers(0, most, endpoint=True)) ^ near,
    )
    return np.clip(kinds[int(rng.choice(len(kinds), p=(0.3, 0.15, 0.05, 0.1, 0.1, 0.1, 0.1, 0.1)))], 0, most)


def some_k(form: TopkForm, n: int, rng: Rng) -> int:
    """Any up to n for the most part, and the ends: none, one, all but one, all, more than there are."""
    more = int(rng.integers(min(n + 1, form.most), form.most, endpoint=True))
    kinds = (int(rng.integers(0, n, endpoint=True)), 0, min(1, form.most), max(n - 1, 0), n, more)
    return kinds[int(rng.choice(len(kinds), p=(0.7, 0.04, 0.08, 0.08, 0.05, 0.05)))]


def directed(form: TopkForm, rng: Rng) -> Iterator[TopkJob]:
    """Jobs that chance would hardly draw: every k at the ends for every n beside a width, over scores of every kind."""
    lanes = (form.input_lanes, form.lanes)
    sizes = {0, 1, form.most, *(size + off for size in lanes for off in (-1, 0, 1))}
    for n in sorted(size for size in sizes if 0 <= size <= form.most):
        for k in sorted({0, 1, n // 2, n - 1, n, n + 1, form.most} & set(range(form.most + 1))):
            for scores in _plain_scores(form, n):
                yield job_of(form, scores, k, rng)
    yield from _straddling(form, rng)


def _plain_scores(form: TopkForm, n: int) -> Iterator[Codes]:
    """All equal, at both ends; two values by turns and in halves; rising, falling."""
    most, each = (1 << form.score_bits) - 1, np.arange(n)
    yield np.zeros(n, np.int64)
    yield np.full(n, most)
    yield np.where(each % 2, 0, most)
    yield np.where(each < n // 2, most - 1, most)
    yield np.minimum(each, most)
    yield np.maximum(most - each, 0)


def _straddling(form: TopkForm, rng: Rng) -> Iterator[TopkJob]:
    """Equal scores over an edge between two beats, of which the last that is kept lies at each place about it."""
    most, width = (1 << form.score_bits) - 1, form.input_lanes
    for n in {min(form.most, 2 * width), min(form.most, 2 * form.lanes + width)}:
        for first in range(max(0, width - 2), min(n, width + 1)):
            scores = rng.choice((0, most), n)
            scores[first : first + width] = most // 2
            above = int((scores > most // 2).sum())
            for equal in range(1, len(scores[first : first + width]) + 1):
                yield job_of(form, scores, above + equal, rng)


def corners_of(form: TopkForm, job: TopkJob) -> set[str]:
    """Names of the corners that a job reaches, of `CORNERS`."""
    scores, kept, width = np.array(job.scores, np.int64), job.kept, form.input_lanes
    sizes = {"0": 0, "1": 1, "a beat": width, "a row": form.lanes, "most": form.most}
    near = {"beat": width, "row": form.lanes}
    found = {f"n is {name}" for name, size in sizes.items() if job.n == size}
    found |= {f"n is one {way} a {name}" for name, size in near.items() for way, n in _beside(size) if job.n == n}
    ks = {"0": 0, "1": 1, "n - 1": job.n - 1, "n": job.n}
    found |= {f"k is {name}" for name, k in ks.items() if job.k == k and job.n}
    found |= {"k is above n"} if job.k > job.n else set()
    values = len(set(job.scores))
    found |= {"all equal"} if values == 1 and job.n > 1 else set()
    found |= {"two values"} if values == 2 and job.n > 2 else set()
    if values > 2:
        found |= {"rising"} if (np.diff(scores) >= 0).all() else set()
        found |= {"falling"} if (np.diff(scores) <= 0).all() else set()
    if not job.bypasses:
        found |= _ties(scores, kept, width)
    return found


def _beside(size: int) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("below", size - 1), ("above", size + 1)


def _ties(scores: Codes, kept: tuple[int, ...], width: int) -> set[str]:
    """Whether some of those that equal the threshold are kept and others dropped, and where."""
    equal = np.flatnonzero(scores == scores[list(kept)].min())
    inside = [place for place in equal.tolist() if place in set(kept)]
    if len(inside) == len(equal):
        return set()
    last, after = inside[-1], int(equal[len(inside)])
    return {"ties over the threshold", "ties within a beat" if last // width == after // width else "ties over a beat"}


CORNERS = (
    *(f"n is {size}" for size in ("0", "1", "a beat", "a row", "most")),
    *(f"n is one {way} a {name}" for name in ("beat", "row") for way in ("below", "above")),
    *(f"k is {k}" for k in ("0", "1", "n - 1", "n", "above n")),
    *("all equal", "two values", "rising", "falling"),
    *("ties over the threshold", "ties within a beat", "ties over a beat"),
)
"""What the jobs of a test must reach, where lanes are more than one and rows more than beats."""


def streams_of(form: TopkForm, job: TopkJob, rng: Rng) -> dict[str, tuple[int, ...]]:
    """The command and the beats of a job; lanes that are not used carry its own scores, or any."""
    width, most = form.input_lanes, 1 << form.score_bits
    beats = max(1, -(-job.n // width))
    spare = beats * width - job.n
    own = job.scores or (0,)
    noise = np.where(rng.random(spare) < 0.5, rng.choice(own, spare), rng.integers(0, most, spare))
    names = rng.integers(0, 1 << form.index_bits, spare)
    fields = {
        "score": np.append(np.array(job.scores, np.int64), noise).reshape(beats, width),
        "index": np.append(np.array(job.indices, np.int64), names).reshape(beats, width),
        "count": np.minimum(job.n - np.arange(beats) * width, width),
        "last": np.arange(beats) == beats - 1,
    }
    command = {"k": np.array([job.k]), "tag": np.array([job.tag])}
    return {"cmd": pack(command_layout(form), command), "scores": pack(scores_layout(form), fields)}


def kept_streams(form: TopkForm, streams: Streams) -> dict[str, tuple[int, ...]]:
    """What must come out for what goes in."""
    given = unpack(scores_layout(form), streams["scores"])
    command = unpack(command_layout(form), streams["cmd"])
    real = np.arange(form.input_lanes) < given["count"][:, None]
    kept = topk_stable(given["score"][real], int(command["k"][0]))
    beats = max(1, -(-len(kept) // form.input_lanes))
    fields: dict[str, Any] = {name: _dense(form, beats, given[name][real][kept]) for name in ("score", "index")}
    fields["count"] = np.minimum(len(kept) - np.arange(beats) * form.input_lanes, form.input_lanes)
    fields["last"] = np.arange(beats) == beats - 1
    fields["tag"] = command["tag"].repeat(beats)
    return {"kept": pack(kept_layout(form), fields)}


def _dense(form: TopkForm, beats: int, codes: Codes) -> Codes:
    """Codes side by side in beats, 0 in the lanes that are left."""
    return np.pad(codes, (0, beats * form.input_lanes - len(codes))).reshape(beats, form.input_lanes)
