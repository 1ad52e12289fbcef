"""A run of the machine: what goes into its memory and queues, and what must come out, bit for bit and edge for edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from accelsim.golden.attention import Attention, AttentionUnit, attend
from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.golden.fixed import Codes, Flags, Scale
from accelsim.golden.softmax import causal
from accelsim.hardware.layer.emit import Emitted, emitted
from accelsim.hardware.layer.head import OUTPUT, Head, K, Q, V, head_of
from accelsim.hardware.layer.places import WORD_BYTES, Places, places_of
from accelsim.mapping.bind import Placement
from accelsim.program.instruction import OPS, QUEUES, Instruction, encode
from accelsim.program.lower.program import program_of
from accelsim.program.marked import MarkedGraph, marked_graph
from accelsim.program.model import Program
from accelsim.units.timing import Timing
from rtl.bench import pack
from rtl.layer.machine_bench import end_layout, picture_layout, start_layout, written_layout
from rtl.layer.machine_form import MachineForm
from rtl.sim.case import Job, Streams

Rng = np.random.Generator


@dataclass(frozen=True)
class Tensors:
    """Codes: q [queries, depth], k [keys, depth], v [keys, columns], and the scale of scores."""

    q: Codes
    k: Codes
    v: Codes
    scale: Scale


@dataclass(frozen=True)
class Layer:
    """A head on a machine: the program that depth `cycle` runs, and the instructions that it becomes."""

    head: Head
    form: MachineForm
    formats: AttentionFormats
    program: Program
    graph: MarkedGraph
    places: Places

    @property
    def cycles(self) -> int:
        """Cycles of the program at depth `cycle`."""
        return self.graph.ticks

    @property
    def words(self) -> int:
        """Words of memory that it needs: a power of two."""
        return 1 << max(1, (-(-self.places.bytes // WORD_BYTES) - 1).bit_length())

    def instructions(self, scale: Scale) -> Emitted:
        """SETP and an instruction for each task."""
        return emitted(self.head, self.places, self.graph, scale)


def layer_of(placement: Placement, form: MachineForm, formats: AttentionFormats = TILED) -> Layer:
    """A placed head of attention on a machine.

    Raises:
        AccelsimError: what the machine does not do, or has no room for.
    """
    head = head_of(placement)
    program = program_of((placement,), placement.mapping.name)
    places = places_of(head, program, form)
    return Layer(head, form, formats, program, marked_graph(program), places)


def tensors_of(layer: Layer, rng: Rng) -> Tensors:
    """Random codes, and a scale that spreads scores over a few units, now and then far."""
    head, formats = layer.head, layer.formats
    q = rng.integers(formats.q.lowest, formats.q.highest + 1, (head.queries, head.depth))
    k = rng.integers(formats.k.lowest, formats.k.highest + 1, (head.keys, head.depth))
    v = rng.integers(formats.v.lowest, formats.v.highest + 1, (head.keys, head.columns))
    spread = float(rng.choice((0.5, 2.0, 8.0, 40.0)))
    wanted = spread * 2.0**formats.scores.fraction / (float(np.abs(q @ k.T).mean()) + 1)
    shift = int(np.clip(np.floor(np.log2(65535 / wanted)), 0, 47))
    return Tensors(q, k, v, Scale(int(np.clip(wanted * 2**shift, 1, 65535)), shift))


def result_of(layer: Layer, tensors: Tensors) -> Attention:
    """What the machine must compute."""
    head = layer.head
    unit = AttentionUnit(head.depth, layer.form.length, head.cols, layer.formats)
    return attend(unit, tensors.q, tensors.k, tensors.v, tensors.scale, _valid(head))


def _valid(head: Head) -> Flags | None:
    return causal(head.queries, head.keys) if head.causal else None


def job_of(layer: Layer, tensors: Tensors, words: int) -> Job:
    """The run as the bench takes it: image and program in; every start, every written word and the status out.

    Args:
        words: of the memory.
    """
    found = layer.instructions(tensors.scale)
    program = [encode(each) for each in found.instructions] + [encode(Instruction("HALT"))]
    image = _image(layer, tensors)
    outputs = {**_started(found), "wrote": _written(layer, result_of(layer, tensors).output, found, words)}
    end = pack(end_layout(), {name: np.array([0]) for name in ("error", "empty", "port")})
    edges = timing(len(image), len(program), layer.cycles)
    places, data = np.array(sorted(image)), [image[word] for word in sorted(image)]
    last = np.arange(len(image)) == len(image) - 1
    picture = pack(
        picture_layout(words), {"word": places, "data": np.array(data, dtype=object), "last": last.astype(int)}
    )
    return Job(
        {"image": picture, "program": tuple(program)}, {**outputs, "status": end}, edges.first, edges.last, edges.busy
    )


def timing(image: int, program: int, cycles: int) -> Timing:
    """Edges of a run, counted from the first word of its image.

    Words of the image enter one per edge, then instructions, HALT the last; tick 0 is the edge behind it. What starts
    there is recorded an edge later. `status` leaves at the edge at which others could start behind the last result.
    """
    begins = image + program
    return Timing(begins + 1, begins + cycles, begins + cycles + 1)


def _image(layer: Layer, tensors: Tensors) -> Mapping[int, int]:
    """Words of memory that a run reads, by their place."""
    found: dict[int, int] = {}
    for name, codes, tile in (
        (Q, tensors.q, layer.head.rows),
        (K, tensors.k, layer.head.cols),
        (V, tensors.v, layer.head.cols),
    ):
        for row, line in enumerate(codes):
            at = layer.places.address(name, row // tile) + row % tile * len(line)
            for place, word in enumerate(line.astype(np.int8).view("<u8").tolist()):
                found[at // WORD_BYTES + place] = word
    return found


def _started(found: Emitted) -> Streams:
    """Every start of every queue, at its tick."""
    streams = {}
    for queue in QUEUES:
        mine = [(each, tick) for each, tick in zip(found.instructions, found.ticks, strict=True) if each.queue == queue]
        fields = {
            "op": np.array([OPS.index(each.op) for each, _ in mine]),
            "dst": np.array([encode(each) >> 76 & 0xFFFF for each, _ in mine]),
            "tick": np.array([tick for _, tick in mine]),
        }
        streams[f"started_{queue}"] = pack(start_layout(), fields) if mine else ()
    return streams


def _written(layer: Layer, output: Codes, found: Emitted, words: int) -> tuple[int, ...]:
    """The words that STOREs write, in their order, two outputs in each."""
    places, data = list[int](), list[int]()
    for each in found.instructions:
        if each.op == "STORE":
            address = each.args["address"]
            tile = (address - layer.places.base[OUTPUT]) // layer.places.step[OUTPUT]
            rows = output[tile * layer.head.rows :][: each.args["rows"]].astype(np.int32)
            line = rows.reshape(-1).view("<u8").tolist()
            places += [address // WORD_BYTES + at for at in range(len(line))]
            data += line
    return pack(written_layout(words), {"word": np.array(places), "data": np.array(data, dtype=object)})
