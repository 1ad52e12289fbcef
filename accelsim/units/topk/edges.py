"""Edges of jobs whose data are known: when an engine takes each, and when what it keeps leaves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from accelsim.units.timing import Timing
from accelsim.units.topk.job import Hardware, Spans, placed, spans


class Ranked(NamedTuple):
    """A job that was run: how many scores it has, places of those that are kept, ascending, and cycles of SELECT."""

    n: int
    kept: Sequence[int]
    select: int


def edges(hardware: Hardware, jobs: Sequence[Ranked]) -> list[Timing]:
    """Of each of the jobs, offered one behind the other; the last one as if it were offered again.

    FILTER closes the gaps of a row and packs what is left: a beat leaves when more has come than fits into it, and the
    last one, which nothing comes behind, an edge after the row with which the job ends. It is `filter_stages` behind
    that row; one that is pushed out by a row is an edge less behind it.

    Raises:
        AccelsimError: no jobs.
    """
    taken = [spans(hardware, job.n, job.select) for job in jobs]
    turns = pairwise(placed([*taken, *taken[-1:]], hardware.overlap))
    found = []
    for job, span, ((begins, end), (after, _)) in zip(jobs, taken, turns, strict=True):
        last = end.filter - 1 + hardware.filter_stages
        first = min(last, _first_full(hardware, job, span, end))
        found.append(Timing(first - begins, last - begins, after - begins))
    return found


def _first_full(hardware: Hardware, job: Ranked, span: Spans, end: Spans) -> int:
    """Edge at which the first beat leaves that is pushed out by a row, or one that is too late."""
    width = hardware.input_lanes
    row = job.kept[width] // width if len(job.kept) > width else span.filter
    return end.filter - span.filter + row + hardware.filter_stages - 1
