"""A run of the machine: what goes into its memory and queues, and what must come out, bit for bit and edge for edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accelsim.golden.attention import Attention, AttentionUnit, attend
from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.golden.fixed import Codes, Flags, Scale, scale_of
from accelsim.golden.softmax import causal
from accelsim.hardware.layer.emit import Emitted, emitted
from accelsim.hardware.layer.head import OUTPUT, Head, K, Q, V, head_of
from accelsim.hardware.layer.job import bench_job
from accelsim.hardware.layer.places import (
    OUTPUT_BYTES,
    SUMS,
    WORD_BYTES,
    Places,
    check_counts,
    check_queues,
    check_words,
    places_of,
)
from accelsim.mapping.bind import Placement
from accelsim.program.instruction import Instruction
from accelsim.program.lower.program import program_of
from accelsim.program.marked import MarkedGraph, marked_graph
from accelsim.program.model import Program
from rtl.layer.machine_form import MachineForm
from rtl.sim.case import Job

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

    def job(self, rng: Rng, words: int) -> Job:
        """A run on random tensors."""
        return job_of(self, tensors_of(self, rng), words)

    @property
    def own_program(self) -> tuple[Instruction, ...]:
        """The instructions with a scale of 1/16, and HALT."""
        return (*self.instructions(scale_of(Fraction(1, 16))).instructions, Instruction("HALT"))

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
    places = places_of(program, tiles_of(head))
    _check_room(head, places, form)
    graph = marked_graph(program)
    check_queues(graph, form.queue)
    return Layer(head, form, formats, program, graph, places)


def tiles_of(head: Head) -> dict[str, tuple[int, int]]:
    """Bytes of a tile of each tensor, and how many there are."""
    return {
        Q: (head.tile_queries * head.depth, head.query_tiles),
        K: (head.tile_keys * head.depth, head.key_tiles),
        V: (head.tile_keys * head.columns, head.key_tiles),
        OUTPUT: (head.tile_queries * head.columns * OUTPUT_BYTES, head.query_tiles),
    }


def _check_room(head: Head, places: Places, form: MachineForm) -> None:
    depth, columns = head.depth // WORD_BYTES, head.columns // WORD_BYTES
    check_words(places, {Q: (depth, form.q_words), K: (depth, form.k_words), V: (columns, form.v_words)})
    check_counts(
        [
            ("tiles in flight", places.in_flight, form.tiles),
            ("parts of a row of the output", head.folds, form.folds),
            *((f"copies of {name}", places.slots[name], form.copies) for name in (*SUMS, OUTPUT)),
            ("keys", head.keys, form.length),
        ]
    )


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
    unit = AttentionUnit(head.depth, layer.form.length, head.tile_keys, layer.formats)
    return attend(unit, tensors.q, tensors.k, tensors.v, tensors.scale, _valid(head))


def _valid(head: Head) -> Flags | None:
    return causal(head.queries, head.keys) if head.causal else None


def job_of(layer: Layer, tensors: Tensors, words: int) -> Job:
    """The run as the bench takes it.

    Args:
        words: of the memory.
    """
    found = layer.instructions(tensors.scale)
    written = _written(layer, result_of(layer, tensors).output, found)
    return bench_job(_image(layer, tensors), found, written, layer.cycles, words)


def _image(layer: Layer, tensors: Tensors) -> Mapping[int, int]:
    """Words of memory that a run reads, by their place."""
    found: dict[int, int] = {}
    for name, codes, tile in (
        (Q, tensors.q, layer.head.tile_queries),
        (K, tensors.k, layer.head.tile_keys),
        (V, tensors.v, layer.head.tile_keys),
    ):
        for row, line in enumerate(codes):
            at = layer.places.address(name, row // tile) + row % tile * len(line)
            for place, word in enumerate(line.astype(np.int8).view("<u8").tolist()):
                found[at // WORD_BYTES + place] = word
    return found


def _written(layer: Layer, output: Codes, found: Emitted) -> list[tuple[int, int]]:
    """The words that STOREs write, in their order, two outputs in each."""
    written: list[tuple[int, int]] = []
    for each in found.instructions:
        if each.op == "STORE":
            address = each.args["address"]
            tile = (address - layer.places.base[OUTPUT]) // layer.places.step[OUTPUT]
            rows = output[tile * layer.head.tile_queries :][: each.args["rows"]].astype(np.int32)
            written += [
                (address // WORD_BYTES + at, word) for at, word in enumerate(rows.reshape(-1).view("<u8").tolist())
            ]
    return written
