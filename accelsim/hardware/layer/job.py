"""A run of a machine as its bench takes it: image and program in; every start, every written word and the end out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from accelsim.hardware.layer.emit import Emitted
from accelsim.program.instruction import OPS, QUEUE_OF, QUEUES, Instruction, encode
from accelsim.units.timing import Timing
from rtl.bench import pack
from rtl.layer.machine_bench import end_layout, picture_layout, start_layout, written_layout
from rtl.sim.case import Job, Streams


def bench_job(
    image: Mapping[int, int],
    found: Emitted,
    written: Sequence[tuple[int, int]],
    cycles: int,
    words: int,
    queue_of: Mapping[str, str] = QUEUE_OF,
) -> Job:
    """The job of a run.

    Args:
        image: words of memory that are there before, by their place.
        written: place and word of all that the run writes, in order.
        cycles: of the program at depth `cycle`.
        words: of the memory.
        queue_of: operation to the queue that runs it.
    """
    program = [encode(each) for each in found.instructions] + [encode(Instruction("HALT"))]
    places = np.array(sorted(image))
    last = np.arange(len(image)) == len(image) - 1
    data = np.array([image[word] for word in sorted(image)], dtype=object)
    picture = pack(picture_layout(words), {"word": places, "data": data, "last": last.astype(int)})
    wrote = {
        "word": np.array([place for place, _ in written]),
        "data": np.array([word for _, word in written], dtype=object),
    }
    end = pack(end_layout(), {name: np.array([0]) for name in ("error", "empty", "port")})
    outputs = {**started(found, queue_of), "wrote": pack(written_layout(words), wrote), "status": end}
    edges = timing(len(image), len(program), cycles)
    return Job({"image": picture, "program": tuple(program)}, outputs, edges.first, edges.last, edges.busy)


def timing(image: int, program: int, cycles: int) -> Timing:
    """Edges of a run, counted from the first word of its image.

    Words of the image enter one per edge, then instructions, HALT the last; tick 0 is the edge behind it. What starts
    there is recorded an edge later. `status` leaves at the edge at which others could start behind the last result.
    """
    begins = image + program
    return Timing(begins + 1, begins + cycles, begins + cycles + 1)


def started(found: Emitted, queue_of: Mapping[str, str]) -> Streams:
    """Every start of every queue, at its tick."""
    streams = {}
    for queue in QUEUES:
        mine = [
            (each, tick)
            for each, tick in zip(found.instructions, found.ticks, strict=True)
            if queue_of.get(each.op) == queue
        ]
        fields = {
            "op": np.array([OPS.index(each.op) for each, _ in mine]),
            "dst": np.array([encode(each) >> 76 & 0xFFFF for each, _ in mine]),
            "tick": np.array([tick for _, tick in mine]),
        }
        streams[f"started_{queue}"] = pack(start_layout(), fields) if mine else ()
    return streams
