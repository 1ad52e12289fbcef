"""The engines on many jobs, compiled: cycles, steps and comparisons of SELECT as the readable functions count them.

A row of `scores` is a job, and a row of `found` what it took. Jobs that leave SELECT out are not given to these.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from accelsim.jit import kernel

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@kernel
def quick_jobs(scores: Integers, k: int, draws: Floats, lanes: int, overhead: int, found: Integers) -> None:
    """`quick.select` with pivots at places that `draws` gives, a row for each job and a draw for each pass."""
    jobs, n = scores.shape
    candidates, larger = np.empty(n, np.int64), np.empty(n, np.int64)
    for job in range(jobs):
        candidates[:] = scores[job]
        count, rank, step = n, k, 0
        while True:
            pivot = candidates[int(draws[job, step] * count)]
            step += 1
            found[job, 0] += -(-count // lanes) + overhead
            found[job, 2] += 2 * count
            above, below = 0, 0
            for place in range(count):
                score = candidates[place]
                if score > pivot:
                    larger[above] = score
                    above += 1
                elif score < pivot:
                    candidates[below] = score  # never behind the place that is read
                    below += 1
            if rank <= above:
                candidates[:above] = larger[:above]
                count = above
            elif rank > count - below:
                rank -= count - below
                count = below
            else:
                break
        found[job, 1] = step


@kernel
def digit_jobs(
    scores: Integers, k: int, widths: Integers, engine: tuple[int, int, bool, bool, bool], found: Integers
) -> None:
    """`digits.select`; `engine` is lanes, overhead, first digit counted as scores enter, compaction, early exit."""
    jobs, n = scores.shape
    lanes, overhead, on_fill, compaction, early_exit = engine
    candidates, counts = np.empty(n, np.int64), np.empty(1 << widths.max(), np.int64)
    for job in range(jobs):
        candidates[:] = scores[job]
        count, in_memory, sought, higher, shift = n, n, k, 0, widths.sum()
        for width in widths:
            shift -= width
            higher <<= width
            found[job, 0] += overhead + (0 if on_fill and found[job, 1] == 0 else -(-in_memory // lanes))
            found[job, 1] += 1
            if compaction:
                in_memory = count
            counts[:] = 0
            for place in range(count):
                counts[(candidates[place] >> shift) - higher] += 1
            digit = (1 << width) - 1
            while sought > counts[digit]:
                sought -= counts[digit]
                digit -= 1
            higher += digit
            left = 0
            for place in range(count):
                if candidates[place] >> shift == higher:
                    candidates[left] = candidates[place]
                    left += 1
            count = left
            if early_exit and sought == count:
                break


@kernel
def queue_jobs(scores: Integers, k: int, engine: tuple[int, int, int, bool], found: Integers) -> None:
    """`queues.gated`; `engine` is lanes, overhead, cycles of a level, and whether it is a heap or a queue.

    Both hold the same scores, so that a heap stands for the queue too; only what an insertion takes differs.
    """
    jobs, n = scores.shape
    lanes, overhead, level_cycles, is_heap = engine
    held, index = np.empty(k, np.int64), np.empty(k, np.int64)
    for job in range(jobs):
        found[job, 0] = overhead
        count = 0
        for first in range(0, n, lanes):
            full = count == k
            gate, cycles = held[0] if full else 0, 0
            for place in range(first, min(first + lanes, n)):
                score = scores[job, place]
                if full:
                    found[job, 2] += 1
                    if score <= gate:
                        continue
                moved, compared = 0, 0
                if count < k:
                    held[count], index[count] = score, place
                    count += 1
                    moved, compared = rise(held, index, count)
                else:
                    compared = 1
                    if score > held[0]:
                        held[0], index[0] = score, place
                        moved, compared = sink(held, index)
                        compared += 1
                cycles += 1 + moved * level_cycles if is_heap else 1
                found[job, 1] += 1
                found[job, 2] += compared if is_heap else k
            found[job, 0] += max(1, cycles)


@kernel
def rise(held: Integers, index: Integers, count: int) -> tuple[int, int]:
    """`queues.rise`."""
    at, moved, compared = count - 1, 0, 0
    while at > 0:
        above = (at - 1) // 2
        compared += 1
        if not comes_first(held, index, at, above):
            break
        swap(held, index, at, above)
        at = above
        moved += 1
    return moved, compared


@kernel
def sink(held: Integers, index: Integers) -> tuple[int, int]:
    """`queues.sink`."""
    at, moved, compared = 0, 0, 0
    while 2 * at + 1 < held.size:
        least = 2 * at + 1
        compared += 1
        if least + 1 < held.size:
            compared += 1
            if comes_first(held, index, least + 1, least):
                least += 1
        if not comes_first(held, index, least, at):
            break
        swap(held, index, at, least)
        at = least
        moved += 1
    return moved, compared


@kernel
def comes_first(held: Integers, index: Integers, a: int, b: int) -> bool:
    """Whether entry a is the smaller one: of equal scores the later."""
    return bool(held[a] < held[b] or (held[a] == held[b] and index[a] > index[b]))


@kernel
def swap(held: Integers, index: Integers, a: int, b: int) -> None:
    """Exchange two entries."""
    held[a], held[b] = held[b], held[a]
    index[a], index[b] = index[b], index[a]
