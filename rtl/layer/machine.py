"""The machine: a sequencer, its engines and the scratchpads between them, behind one memory port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from accelsim.program.instruction import QUEUES
from rtl.block import Block
from rtl.layer.array import ArrayEngine
from rtl.layer.dma import LoadEngine, StoreEngine
from rtl.layer.instruction import instruction_layout
from rtl.layer.machine_form import MachineForm
from rtl.layer.memory_port import read_ports, write_ports
from rtl.layer.pads import ColumnPad, RowPad
from rtl.layer.sequencer import Sequencer, status_layout
from rtl.layer.vector import VectorEngine

PADS = ("q", "k", "v")
"""The pads that LOAD fills, by number."""


@dataclass(frozen=True)
class Link:
    """A port of the engine of a queue that is the `read` or the `write` side of a pad."""

    queue: str
    port: str
    pad: str
    side: str


@dataclass(frozen=True)
class Parts:
    """What a machine is made of.

    Attributes:
        engines: the engine of each queue; that of `store` reads the pad `o`, that of `vector` has a pin `empty`.
        pads: by name; LOAD fills those in PADS.
        wires: (queue, queue, port): what one engine tells another all the time.
    """

    sequencer: Sequencer
    engines: Mapping[str, Any]
    pads: Mapping[str, Any]
    links: tuple[Link, ...]
    wires: tuple[tuple[str, str, str], ...] = ()


def attention_parts(form: MachineForm) -> Parts:
    """The machine whose vector engine does softmax, a row of scores per edge."""
    array, vector = form.array, form.vector
    return Parts(
        Sequencer(form.queue),
        {
            "load": LoadEngine(form.banks),
            "array": ArrayEngine(array),
            "vector": VectorEngine(vector),
            "store": StoreEngine(form.rows, form.cols),
        },
        {
            "q": ColumnPad(array.q),
            "k": ColumnPad(array.k),
            "v": RowPad(array.v, array.parts),
            "p": ColumnPad(array.p),
            "s": RowPad(array.s),
            "pv": RowPad(array.pv),
            "o": RowPad(vector.o_pad),
        },
        (
            *(Link("array", name, name, "read") for name in ("q", "k", "v", "p")),
            *(Link("array", name, name, "write") for name in ("s", "pv")),
            *(Link("vector", name, name, "read") for name in ("s", "pv")),
            *(Link("vector", name, name, "write") for name in ("p", "o")),
        ),
    )


class Machine(Block):
    """One head of attention from instructions: tiles come through the memory port, and the output goes there.

    Ports:
        program, status: as those of the `Sequencer`.
        ar, r, aw, w, b: see `read_ports` and `write_ports`.
        started_<queue>: outputs, high before the edge at which an instruction of the queue starts.
        empty: output, whether a query without any key has been divided since the reset; always valid.

    After a reset no instruction is held; what lies in scratchpads stays and means nothing.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.sequencer = parts.sequencer
        ports = {
            "program": In(stream.Signature(instruction_layout())),
            "status": Out(stream.Signature(status_layout())),
            **read_ports(),
            **write_ports(),
            **{f"started_{queue}": Out(1) for queue in QUEUES},
            "empty": Out(1),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        engines, pads, sequencer = self.parts.engines, self.parts.pads, self.sequencer
        m.submodules.sequencer = sequencer
        for name, pad in pads.items():
            m.submodules[f"{name}_pad"] = pad
        connect(m, flipped(self.program), sequencer.program)
        connect(m, sequencer.status, flipped(self.status))
        for queue, engine in engines.items():
            m.submodules[queue] = engine
            start = getattr(sequencer, f"start_{queue}")
            connect(m, start, engine.start)
            for port in range(sequencer.completions[queue]):
                connect(m, getattr(engine, f"done{port}"), getattr(sequencer, f"done_{queue}{port}"))
            m.d.comb += getattr(self, f"started_{queue}").eq(start.valid & start.ready)
        for link in self.parts.links:
            connect(m, getattr(engines[link.queue], link.port), getattr(pads[link.pad], link.side))
        for source, target, name in self.parts.wires:
            m.d.comb += getattr(engines[target], name).eq(getattr(engines[source], name))
        m.d.comb += self.empty.eq(engines["vector"].empty)
        self._transfer(m)
        return m

    def _transfer(self, m: Module) -> None:
        """Words of the memory into the pads of Q, K and V, and from the pad of the output."""
        load, store = self.parts.engines["load"], self.parts.engines["store"]
        for name in ("ar", "aw", "w"):
            engine = load if name == "ar" else store
            connect(m, getattr(engine, name), flipped(getattr(self, name)))
        connect(m, flipped(self.r), load.r)
        connect(m, flipped(self.b), store.b)
        for number, name in enumerate(PADS):
            write = self.parts.pads[name].write
            m.d.comb += [
                write.enable.eq(load.write.enable & (load.write.pad == number)),
                write.bank.eq(load.write.bank),
                write.word.eq(load.write.word),
                Value.cast(write.data).eq(load.write.data),
            ]
        read = self.parts.pads["o"].read
        m.d.comb += [read.word.eq(store.read.address), store.read.data.eq(Value.cast(read.data))]
