"""The sequencer: an in-order queue for each engine, and counting semaphores between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.program.instruction import OPS, QUEUE_OF, QUEUES, SEMAPHORES
from rtl.block import Block, check_size
from rtl.layer.instruction import completion_signature, instruction_layout
from rtl.pipeline import wire
from rtl.streams import Fifo

ERRORS = ("none", "operation", "shared", "overflow")
"""What was wrong: an operation that no queue takes, a semaphore that two queues wait for, or one that was too full."""
COMPLETIONS: Mapping[str, int] = {"load": 1, "array": 1, "vector": 3, "store": 1}
MOST_COMPLETIONS = 64


def status_layout() -> data.StructLayout:
    """`error`: the place of the reason in ERRORS, 0 where the program came to its end."""
    return data.StructLayout({"error": 2})


class Sequencer(Block):
    """Takes a program, one instruction per edge and HALT at its end, and then runs it.

    An instruction starts at an edge at which it heads its queue, its engine is ready and every semaphore in its wait
    mask is above 0; one is taken from each. At an edge before which a completion is valid, one is added to each
    semaphore in its post mask: what waited for it may start at the very next edge. NOP starts without its engine and
    completes at the same edge. A program that is longer than a queue begins to run when a queue is full.

    When all have completed, `status` says so, the semaphores are cleared, and the next program may come in. An
    instruction that cannot be is refused: it comes to no queue, `status` says so at once, and no other is taken in
    until a reset; nor after a semaphore has overflowed, which is said at the end. A semaphore is waited for by one
    queue only. At most 4 `depth` instructions may be under way at once, in all engines together.

    Ports:
        program: input stream of instructions; ready while a program is taken in and its queue has room.
        start_<queue>: output streams of instructions; valid when one may start.
        done_<queue><port>: inputs, as `completion_signature` says.
        status: output stream of `status_layout`.

    After a reset no instruction and no token is held.
    """

    def __init__(
        self,
        depth: int = 256,
        completions: Mapping[str, int] = COMPLETIONS,
        count_bits: int = 8,
        queue_of: Mapping[str, str] = QUEUE_OF,
    ) -> None:
        check_size("instructions of a queue", depth)
        check_size("bits of a semaphore", count_bits, 1, 16)
        for queue in QUEUES:
            check_size(f"completions of the {queue} queue", completions[queue], 1, MOST_COMPLETIONS)
        self.depth = depth
        self.completions = dict(completions)
        self.queue_of = dict(queue_of)
        self.queues = {queue: Fifo(instruction_layout(), depth) for queue in QUEUES}
        self.counts = [Signal(count_bits, name=f"semaphore_{s}") for s in range(SEMAPHORES)]
        self.owned = [Signal(name=f"owned_{s}") for s in range(SEMAPHORES)]
        self.owner = [Signal(range(len(QUEUES)), name=f"owner_{s}") for s in range(SEMAPHORES)]
        self.whole = Signal()
        self.running = Signal()
        self.refused = Signal(status_layout()["error"].shape)
        self.overflowed = Signal()
        self.pending = Signal(range(len(QUEUES) * depth + 1))
        layout = instruction_layout()
        starts = {f"start_{queue}": Out(stream.Signature(layout)) for queue in QUEUES}
        done = {name: In(completion_signature()) for name in self._ports()}
        status = {"status": Out(stream.Signature(status_layout()))}
        super().__init__({"program": In(stream.Signature(layout)), **starts, **done, **status})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        for queue, fifo in self.queues.items():
            m.submodules[f"queue_{queue}"] = fifo
        fired, posts = self._issue(m)
        self._count(m, fired, [*posts, *self._completed(m)])
        self._take_in(m)
        self._end(m, [fired[queue] & (self.queues[queue].o.payload.op != 0) for queue in QUEUES])
        return m

    def _ports(self) -> Iterator[str]:
        return (f"done_{queue}{port}" for queue in QUEUES for port in range(self.completions[queue]))

    def _completed(self, m: Module) -> list[Value]:
        """The post mask of each port, 0 where nothing completes."""
        ports = [getattr(self, name) for name in self._ports()]
        return [Mux(port.valid, port.post, 0) for port in ports]

    def _issue(self, m: Module) -> tuple[dict[str, Signal], list[Value]]:
        """Whether the head of each queue starts, and the post masks of NOPs."""
        above = Signal(SEMAPHORES)
        m.d.comb += above.eq(self._above(m))
        fired: dict[str, Signal] = {}
        posts = []
        for queue, fifo in self.queues.items():
            head, start = fifo.o.payload, getattr(self, f"start_{queue}")
            may, fires = Signal(name=f"may_{queue}"), Signal(name=f"fires_{queue}")
            empty = head.op == OPS.index("NOP")
            m.d.comb += [
                may.eq(self.running & fifo.o.valid & ((head.wait & ~above) == 0)),
                start.valid.eq(may & ~empty),
                start.payload.eq(head),
                fires.eq(may & (empty | start.ready)),
                fifo.o.ready.eq(fires),
            ]
            fired[queue] = fires
            posts.append(Mux(fires & empty, head.post, 0))
        return fired, posts

    def _above(self, m: Module) -> Value:
        """Which semaphores are above 0."""
        return Cat(count != 0 for count in self.counts)

    def _count(self, m: Module, fired: Mapping[str, Signal], posts: Iterable[Value]) -> None:
        """Every semaphore less what is taken, and more by what is posted at this edge."""
        masks = [wire(m, f"posts_{place}", mask) for place, mask in enumerate(posts)]
        waits = [
            wire(m, f"takes_{queue}", Mux(fires, getattr(self, f"start_{queue}").payload.wait, 0))
            for queue, fires in fired.items()
        ]
        for s, count in enumerate(self.counts):
            more = Signal(range(len(masks) + 1), name=f"posted_{s}")
            after = Signal(len(count) + 8, name=f"after_{s}")
            m.d.comb += more.eq(sum(mask[s] for mask in masks))
            m.d.comb += after.eq(count + more - Cat(wait[s] for wait in waits).any())
            m.d.sync += count.eq(after)
            with m.If(after[len(count) :].any()):  # it stays full: from 0, a start that is offered would be taken back
                m.d.sync += [count.eq(-1), self.overflowed.eq(1)]

    def _take_in(self, m: Module) -> None:
        """Each instruction goes to its queue; HALT, or a full queue, lets the program run."""
        given, entered = self.program.payload, wire(m, "entered", self.program.valid & self.program.ready)
        room = Signal()
        halts, known = given.op == OPS.index("HALT"), Signal()
        clash = wire(m, "clash", self._clash(m, given, entered))
        for place, (queue, fifo) in enumerate(self.queues.items()):
            numbers = [OPS.index(op) for op, of in self.queue_of.items() if of == queue]
            mine = Signal(name=f"for_{queue}")
            own = Cat(given.op == number for number in numbers).any()
            m.d.comb += mine.eq(own | (given.op == OPS.index("NOP")) & (given.imm == place))
            m.d.comb += [fifo.i.payload.eq(given), fifo.i.valid.eq(entered & mine & ~clash)]
            with m.If(mine):
                m.d.comb += [known.eq(1), room.eq(fifo.i.ready)]
        m.d.comb += self.program.ready.eq(self._open() & (room | ~known))
        with m.If(entered & halts):
            m.d.sync += [self.whole.eq(1), self.running.eq(1)]
        with m.If(Cat(fifo.level == self.depth for fifo in self.queues.values()).any()):
            m.d.sync += self.running.eq(1)
        with m.If(entered & ~known & ~halts):
            m.d.sync += self.refused.eq(ERRORS.index("operation"))
        with m.Elif(clash):
            m.d.sync += self.refused.eq(ERRORS.index("shared"))

    def _open(self) -> Value:
        return ~self.whole & ~self.refused.any() & ~self.overflowed

    def _clash(self, m: Module, given: Value, entered: Value) -> Value:
        """Whether an instruction waits for a semaphore that one of another queue waits for too."""
        queue = Signal(range(len(QUEUES)))
        queues = Array(QUEUES.index(self.queue_of[op]) if op in self.queue_of else given.imm[:2] for op in OPS)
        m.d.comb += queue.eq(queues[given.op])
        clashes = []
        for s in range(SEMAPHORES):
            waits = entered & given.wait[s]
            clashes.append(waits & self.owned[s] & (self.owner[s] != queue))
            with m.If(waits & ~self.owned[s]):
                m.d.sync += [self.owned[s].eq(1), self.owner[s].eq(queue)]
        return Cat(clashes).any()

    def _end(self, m: Module, started: list[Value]) -> None:
        """When nothing is left the semaphores are cleared, and the next program may come; an error stays."""
        told = Signal()
        ended = Cat(getattr(self, name).valid for name in self._ports())
        over = self._over()
        m.d.sync += self.pending.eq(self.pending + sum(started) - sum(ended))
        m.d.comb += [
            self.status.valid.eq((over | self.refused.any()) & ~told),
            self.status.payload.error.eq(
                Mux(self.refused.any() | ~self.overflowed, self.refused, ERRORS.index("overflow"))
            ),
        ]
        with m.If(self.status.valid & self.status.ready):
            m.d.sync += told.eq(self.refused.any() | self.overflowed)
            with m.If(over):
                m.d.sync += [self.whole.eq(0), self.running.eq(0)]
                m.d.sync += [cleared.eq(0) for cleared in (*self.counts, *self.owned)]

    def _over(self) -> Value:
        """Whether the whole program has come in, started and completed."""
        empty = ~Cat(fifo.o.valid for fifo in self.queues.values()).any()
        return self.whole & empty & (self.pending == 0)
