"""What was wrong with a run: bits at every transfer, edges where nothing stalls, and laws that hold where it does."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, islice

from rtl.sim.case import Case, Fault, Job, Observed, Streams, Transfers


def failures(case: Case, observed: Observed, begin: int | None = None) -> tuple[str, ...]:
    """One line for each of the `faults`."""
    return tuple(fault.text for fault in faults(case, observed, begin))


def faults(case: Case, observed: Observed, begin: int | None = None) -> tuple[Fault, ...]:
    """All that differs; bits first, and edges only if all bits are there.

    `begin` is the edge of the first input transfer of a unit that had done nothing before its reset.
    """
    if observed.trouble:
        return (Fault("rules", observed.trouble),)
    wrong = [*_wrong_bits(case.jobs, observed.transfers), *_wrong_cut(case, observed.cut)]
    return tuple(wrong or [*_wrong_begin(case, observed, begin), *_wrong_edges(case, observed)])


def begins(cases: Sequence[Case], seen: Sequence[Observed]) -> dict[str, int]:
    """For each device the edge at which its first input is taken, from a case without gaps and without a past."""
    found: dict[str, int] = {}
    for case, observed in zip(cases, seen, strict=True):
        edges = [moved[0][0] for port, moved in observed.transfers.items() if moved and port in case.jobs[0].inputs]
        if case.free and case.cut is None and edges:
            found.setdefault(case.device, min(edges))
    return found


def _wrong_begin(case: Case, observed: Observed, begin: int | None) -> Iterator[Fault]:
    if case.free and begin is not None:
        edge = min(edge for port in case.jobs[0].inputs for edge, _ in observed.transfers[port][:1])
        if edge != begin:
            yield Fault("rules", f"the first input is taken at edge {edge} after the reset, not {begin}")


def _expected(jobs: Sequence[Job], port: str) -> list[int]:
    return [beat for job in jobs for beat in job.outputs.get(port, ())]


def _outputs(jobs: Sequence[Job]) -> list[str]:
    return sorted({port for job in jobs for port in job.outputs})


def _wrong_bits(jobs: Sequence[Job], transfers: Transfers) -> Iterator[Fault]:
    inputs = {port for job in jobs for port in job.inputs}
    for port in sorted(set(transfers) - inputs | set(_outputs(jobs))):
        expected, moved = _expected(jobs, port), transfers.get(port, ())
        if len(moved) != len(expected):
            yield Fault("bits", f"{port}: {len(moved)} payloads, not {len(expected)}", abs(len(moved) - len(expected)))
        yield from _first_difference(port, expected, moved)


def _first_difference(port: str, expected: Sequence[int], moved: Sequence[tuple[int, int]]) -> Iterator[Fault]:
    pairs = list(zip(expected, moved, strict=False))
    wrong = [place for place, (beat, (_, seen)) in enumerate(pairs) if beat != seen]
    if wrong:
        place = wrong[0]
        edge, seen = moved[place]
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        text = f"{port}: payload {place} at edge {edge} is {seen:#x}, not {expected[place]:#x}{more}"
        yield Fault("bits", text, sum((beat ^ seen).bit_count() for beat, (_, seen) in pairs))


def _wrong_cut(case: Case, before: Transfers) -> Iterator[Fault]:
    """What left before the reset must be the beginning of what would have left without it."""
    if case.cut is None:
        return
    for port in _outputs(case.cut.jobs):
        expected, moved = _expected(case.cut.jobs, port), before.get(port, ())
        surplus = len(moved) - len(expected)
        if surplus > 0:
            yield Fault("bits", f"before the reset: {port}: {len(moved)} payloads, not {len(expected)}", surplus)
        for fault in _first_difference(port, expected, moved):
            yield replace(fault, text=f"before the reset: {fault.text}")


def _wrong_edges(case: Case, observed: Observed) -> Iterator[Fault]:
    if case.free:
        yield from _wrong_timing(case.jobs, observed.transfers)
    elif case.rigid and case.gap_in == 0:
        yield from _wrong_timing(case.jobs, without_stalls(observed))
    else:
        yield from _too_early(case.jobs, observed.transfers)


def spans(jobs: Sequence[Job], transfers: Transfers) -> list[tuple[int, int, int]]:
    """The edges of each job's first input, first output and last output."""
    taken = _edges_by_job([job.inputs for job in jobs], transfers)
    left = _edges_by_job([job.outputs for job in jobs], transfers)
    return [(min(ins), min(outs), max(outs)) for ins, outs in zip(taken, left, strict=True)]


def _edges_by_job(streams: Sequence[Streams], transfers: Transfers) -> list[list[int]]:
    """For each job the edges of its transfers; on every port jobs follow one another."""
    edges: list[list[int]] = [[] for _ in streams]
    for port in sorted({port for one in streams for port in one}):
        moved = iter(transfers[port])
        for found, one in zip(edges, streams, strict=True):
            found.extend(edge for edge, _ in islice(moved, len(one.get(port, ()))))
    return edges


def _wrong_timing(jobs: Sequence[Job], transfers: Transfers) -> Iterator[Fault]:
    seen = spans(jobs, transfers)
    for place, (job, (start, first, last)) in enumerate(zip(jobs, seen, strict=True)):
        if first - start != job.first:
            yield Fault("first", f"job {place}: first output at edge {first - start}, not {job.first}")
        if last - start != job.last:
            yield Fault("last", f"job {place}: last output at edge {last - start}, not {job.last}")
        if place + 1 < len(jobs) and seen[place + 1][0] - start != job.busy:
            text = f"job {place}: next job begins at edge {seen[place + 1][0] - start}, not {job.busy}"
            yield Fault("busy", text)


def without_stalls(observed: Observed) -> Transfers:
    """The same transfers, edges counted without those at which any output stalled."""
    stalled = sorted({edge for edges in observed.stalls.values() for edge in edges})
    return {
        port: tuple((edge - bisect_left(stalled, edge), payload) for edge, payload in moved)
        for port, moved in observed.transfers.items()
    }


def _too_early(jobs: Sequence[Job], transfers: Transfers) -> Iterator[Fault]:
    """Gaps only ever delay: no job's last output may come before the edge at which it would without them."""
    seen = spans(jobs, transfers)
    starts = accumulate((job.busy for job in jobs[:-1]), initial=seen[0][0])
    for place, (job, start, (_, _, last)) in enumerate(zip(jobs, starts, seen, strict=True)):
        if last < start + job.last:
            yield Fault("last", f"job {place}: last output at edge {last}, before edge {start + job.last}")
