"""The machine whose array does softmax itself: a lane of its vector engine is a query, and tiles stay in the array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from accelsim.program.instruction import QUEUE_OF
from rtl.attention_formats import Formats
from rtl.block import check_size
from rtl.layer.dma import LoadEngine, StoreEngine
from rtl.layer.fuse_array import FuseEngine
from rtl.layer.fuse_array_form import FuseEngineForm
from rtl.layer.machine import Link, Parts
from rtl.layer.machine_form import LONGEST_QUEUE, MOST_TILES
from rtl.layer.merge import MergeEngine
from rtl.layer.merge_form import MergeForm, MergeStages
from rtl.layer.pads import ColumnPad, RowPad
from rtl.layer.sequencer import Sequencer

QUEUES: Mapping[str, str] = MappingProxyType({**QUEUE_OF, "SOFTMAX": "array", "SETP": "array"})
COMPLETIONS: Mapping[str, int] = MappingProxyType({"load": 1, "array": 1, "vector": 2, "store": 1})


@dataclass(frozen=True)
class FuseMachineForm:
    """Sizes of the machine.

    Attributes:
        formats: of every number behind the array.
        rows: keys of a tile: rows of the array.
        cols: queries of a tile: columns of the array and lanes of the vector engine.
        q_words: words of 4 elements in each bank of the pad of Q.
        k_words, v_words: words of 8 elements in each bank of the pads of K and V.
        tiles: tiles of scores and weights that are kept.
        columns: elements of a value, at most.
        copies: tiles of queries whose maxima, sums and outputs are kept.
        length: the longest row of keys.
        queue: instructions that each queue holds.
        input_registers, output_registers: of the array.
        stages: of the vector engine.

    Raises:
        AccelsimError: a parameter out of range.
    """

    formats: Formats
    rows: int = 8
    cols: int = 8
    q_words: int = 32
    k_words: int = 16
    v_words: int = 16
    tiles: int = 4
    columns: int = 32
    copies: int = 4
    length: int = 4096
    queue: int = 512
    input_registers: int = 1
    output_registers: int = 1
    stages: MergeStages = field(default_factory=MergeStages)

    def __post_init__(self) -> None:
        for name in ("tiles", "copies"):
            check_size(name, getattr(self, name), 1, MOST_TILES)
        check_size("columns", self.columns, 1, MOST_TILES)
        check_size("queue", self.queue, 1, LONGEST_QUEUE)
        _ = self.array, self.vector

    @property
    def array(self) -> FuseEngineForm:
        """The array engine."""
        return FuseEngineForm(
            rows=self.rows,
            cols=self.cols,
            tiles=self.tiles,
            q_words=self.q_words,
            k_words=self.k_words,
            v_words=self.v_words,
            pv_words=self.tiles * self.columns,
            input_registers=self.input_registers,
            output_registers=self.output_registers,
        )

    @property
    def vector(self) -> MergeForm:
        """The vector engine."""
        return MergeForm(
            formats=self.formats,
            rows=self.rows,
            lanes=self.cols,
            slots=self.tiles,
            states=self.copies,
            accumulators=self.copies * self.columns,
            pv_words=self.tiles * self.columns,
            o_words=self.copies * self.columns,
            length=self.length,
            stages=self.stages,
        )


def fuse_parts(form: FuseMachineForm) -> Parts:
    """The parts of the machine."""
    array, vector = form.array, form.vector
    return Parts(
        Sequencer(form.queue, COMPLETIONS, queue_of=QUEUES),
        {
            "load": LoadEngine(max(form.rows, form.cols)),
            "array": FuseEngine(array),
            "vector": MergeEngine(vector),
            "store": StoreEngine(form.columns, form.cols),
        },
        {
            "q": ColumnPad(array.q),
            "k": ColumnPad(array.k),
            "v": ColumnPad(array.v),
            "m": RowPad(array.m),
            "d": RowPad(array.m),
            "pv": RowPad(array.pv),
            "o": RowPad(vector.o_pad),
        },
        (
            *(Link("array", name, name, "read") for name in ("q", "k", "v")),
            *(Link("array", name, name, "write") for name in ("m", "d", "pv")),
            *(Link("vector", name, name, "read") for name in ("m", "d", "pv")),
            Link("vector", "o", "o", "write"),
        ),
        (("array", "vector", "shift"),),
    )
