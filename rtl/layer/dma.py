"""The DMA engines of the layer machine: LOAD from the memory port into scratchpads, STORE from one to the port."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature

from accelsim.errors import AccelsimError
from accelsim.program.instruction import DMA_FIELDS
from rtl.block import Block, check_size
from rtl.layer.instruction import engine_ports, transfer_layout
from rtl.layer.memory_port import (
    LONGEST_BURST,
    MOST_READS,
    WORD,
    WORD_BYTES,
    read_ports,
    request_layout,
    write_ports,
)
from rtl.pipeline import wire

PAD = 2  # bits of the number of a pad
PLACE = 13  # bits of the address of a word within a bank
MOST_BANKS = 1 << DMA_FIELDS["rows"]
ELEMENT = 32  # bits of an element of the pad that STORE reads
PAIR = WORD // ELEMENT  # elements of a beat


class Bursts(Block):
    """The requests of a command: one for all rows where they follow one another and fit a burst, else one for each.

    The first leaves at the edge after the command was taken, at the earliest; then one per edge.

    Ports:
        command: input, `transfer_layout`; valid where `begins` is high.
        begins: input, the command is taken at this edge; only while no request is left.
        may: input, whether a request may leave; once high while one is left, it stays so until one has moved.
        o: output stream of `request_layout`; valid while `may` is high and a request is left.
        number: output, how many bursts the command has; valid where `begins` is high.
        together: output, whether all rows are one burst; valid from the edge after `begins` on.

    After a reset no request is left.
    """

    def __init__(self) -> None:
        self.left = Signal(DMA_FIELDS["rows"])
        ports = {"command": In(transfer_layout()), "begins": In(1), "may": In(1), "together": Out(1)}
        request = Out(stream.Signature(request_layout()))
        super().__init__({**ports, "o": request, "number": Out(DMA_FIELDS["rows"])})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        command, request = self.command, self.o.payload
        stride = Signal(DMA_FIELDS["stride"])
        total = wire(m, "total", command.rows * command.beats)
        follows = command.stride == command.beats * WORD_BYTES
        together = wire(m, "is_together", follows & (total <= LONGEST_BURST))
        m.d.comb += [self.number.eq(Mux(together, 1, command.rows)), self.o.valid.eq(self.may & (self.left != 0))]
        with m.If(self.begins):
            m.d.sync += [
                self.left.eq(self.number),
                self.together.eq(together),
                stride.eq(command.stride),
                request.addr.eq(command.address),
                request.beats.eq(Mux(together, total, command.beats) - 1),
            ]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [self.left.eq(self.left - 1), request.addr.eq(request.addr + stride)]
        return m


class Walk(Block):
    """Where a command is in its rows: the beat that moves next, row by row.

    Ports:
        command: input, `transfer_layout`; valid where `begins` is high.
        begins: input, the command is taken at this edge.
        moves: input, a beat moves at this edge.
        row: output, the row of the next beat, from 0; valid from the edge after `begins` on, as all that follows.
        beat: output, its number within the row, from 0.
        ends_row, ends: output, whether it is the last of its row, and of the command.
    """

    def __init__(self) -> None:
        self.last_row = Signal(DMA_FIELDS["rows"], reset_less=True)
        self.last_beat = Signal(DMA_FIELDS["beats"], reset_less=True)
        ports = {"command": In(transfer_layout()), "begins": In(1), "moves": In(1), "ends_row": Out(1), "ends": Out(1)}
        super().__init__({**ports, "row": Out(DMA_FIELDS["rows"]), "beat": Out(DMA_FIELDS["beats"])})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.d.comb += [
            self.ends_row.eq(self.beat == self.last_beat),
            self.ends.eq(self.ends_row & (self.row == self.last_row)),
        ]
        with m.If(self.begins):
            m.d.sync += [self.last_row.eq(self.command.rows - 1), self.last_beat.eq(self.command.beats - 1)]
            m.d.sync += [self.row.eq(0), self.beat.eq(0)]
        with m.Elif(self.moves):
            m.d.sync += self.beat.eq(Mux(self.ends_row, 0, self.beat + 1))
            m.d.sync += self.row.eq(self.row + self.ends_row)
        return m


def pad_write_signature(banks: int) -> Signature:
    """How LOAD writes, as an output: `data` into `word` of `bank` of `pad`, at edges before which `enable` is high."""
    return Signature(
        {"pad": Out(PAD), "bank": Out(range(banks)), "word": Out(PLACE), "data": Out(WORD), "enable": Out(1)}
    )


def pad_read_signature(cols: int) -> Signature:
    """How STORE reads, as an output: `address` of a word of `cols` elements, the lowest bits the first.

    `data` is that word from the next edge on, for as long as the address is the same at every edge.
    """
    return Signature({"address": Out(DMA_FIELDS["local"]), "data": In(ELEMENT * cols)})


class LoadEngine(Block):
    """LOAD: word (row, beat) of the memory goes to bank `row` of a pad, at the word `local` + beat.

    `local` is pad << 13 | word. A command has 1 to `banks` rows, 1 to 255 beats each, none of its bursts crosses a
    bound of PAGE bytes, and the address and the stride are multiples of 8. The first request leaves at the edge after
    the start, and a beat is written at the edge at which it comes. So, with a memory that answers first L edges after
    a request, the first word is written 1 + L edges after the start. At most MOST_READS bursts are outstanding; the
    next leaves at the earliest at the edge after the last beat of one. One command at a time.

    Ports:
        start, done0: see `engine_ports`; ready when no command is under way. It completes with its last beat.
        ar, r: see `read_ports`; `r` is ready while a command is under way, and only what was requested comes.
        write: see `pad_write_signature`.

    After a reset no command is under way.
    """

    def __init__(self, banks: int) -> None:
        check_size("banks", banks, 2, MOST_BANKS)
        self.banks = banks
        self.running = Signal()
        self.outstanding = Signal(range(MOST_READS + 1))
        self.bursts = Bursts()
        self.walk = Walk()
        super().__init__({**engine_ports(), **read_ports(), "write": Out(pad_write_signature(banks))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.bursts = self.bursts
        m.submodules.walk = walk = self.walk
        pad, first, post = Signal(PAD), Signal(PLACE), Signal.like(self.done0.post)
        command = _take(m, self, self.bursts, walk)
        moves = wire(m, "moves", self.r.valid & self.r.ready)
        ends = wire(m, "ends", moves & walk.ends)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += [Cat(first, pad).eq(command.local), post.eq(command.post)]
        with m.If(ends):
            m.d.sync += self.running.eq(0)
        m.d.comb += [
            walk.moves.eq(moves),
            self.r.ready.eq(self.running),
            self.write.enable.eq(moves),
            self.write.pad.eq(pad),
            self.write.bank.eq(walk.row),
            self.write.word.eq(first + walk.beat),
            self.write.data.eq(self.r.payload.data),
            self.done0.valid.eq(ends),
            self.done0.post.eq(post),
        ]
        self._request(m, wire(m, "completes", moves & self.r.payload.last))
        return m

    def _request(self, m: Module, completes: Value) -> None:
        """Requests leave while there is a place among those that are outstanding."""
        m.d.comb += [
            self.bursts.may.eq(self.outstanding != MOST_READS),
            self.ar.valid.eq(self.bursts.o.valid),
            self.ar.payload.eq(self.bursts.o.payload),
            self.bursts.o.ready.eq(self.ar.ready),
        ]
        m.d.sync += self.outstanding.eq(self.outstanding + (self.ar.valid & self.ar.ready) - completes)


class StoreEngine(Block):
    """STORE: rows of elements, that lie fold by fold in a pad, go to the memory in their order, two to a beat.

    The `cols` elements of fold n of row r are the word `local` + n * `rows` + r of the pad. A command has 1 to `rows`
    rows, 1 to 255 beats each; otherwise it is as for LOAD. The first request leaves at the edge after the start, at
    which also the first word is read; its first beat leaves one edge later. The next word is read while one leaves, so
    that no edge passes between beats that the memory takes. No beat waits for its request, and any number of bursts may
    be unanswered. One command at a time.

    Ports:
        start, done0: see `engine_ports`; ready when no command is under way. It completes with its last answer.
        aw, w, b: see `write_ports`; `b` is ready while a command is under way, and answers only what was requested.
        read: see `pad_read_signature`; no word is written while it is stored.

    After a reset no command is under way.
    """

    def __init__(self, rows: int, cols: int) -> None:
        check_size("rows", rows, 1, MOST_BANKS - 1)
        check_size("cols", cols, PAIR, 1 << DMA_FIELDS["beats"])
        if cols & (cols - 1):
            raise AccelsimError(f'cols: must be a power of two, got "{cols}"')
        self.rows = rows
        self.cols = cols
        self.running = Signal()
        self.sending = Signal()  # beats are left
        self.word = Signal(DMA_FIELDS["local"])  # of the pad, with the beat that is next
        self.unanswered = Signal(DMA_FIELDS["rows"])  # bursts
        self.bursts = Bursts()
        self.walk = Walk()
        super().__init__({**engine_ports(), **write_ports(), "read": Out(pad_read_signature(cols))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.bursts = bursts = self.bursts
        m.submodules.walk = self.walk
        command = _take(m, self, bursts, self.walk)
        m.d.comb += [
            bursts.may.eq(1),
            self.aw.valid.eq(bursts.o.valid),
            self.aw.payload.eq(bursts.o.payload),
            bursts.o.ready.eq(self.aw.ready),
        ]
        self._send(m, command.local)
        self._complete(m, command.post)
        return m

    def _send(self, m: Module, local: Value) -> None:
        """Beats from the word that the pad shows; the address is that of the word of the beat that will be next."""
        walk, starts = self.walk, self.start.valid & self.start.ready
        line, word = Signal.like(self.word), self.word
        beats = self.cols // PAIR
        place = walk.beat[: (beats - 1).bit_length()]
        moves = wire(m, "moves", self.w.valid & self.w.ready)
        fold = Mux(place == beats - 1, word + self.rows, word)
        following = wire(m, "following", Mux(walk.ends_row, line + 1, fold)[: len(word)])
        shown = data.View(data.ArrayLayout(WORD, beats), self.read.data)
        m.d.comb += [
            walk.moves.eq(moves),
            self.read.address.eq(Mux(moves, following, word)),
            self.w.payload.data.eq(shown[place]),
            self.w.payload.last.eq(Mux(self.bursts.together, walk.ends, walk.ends_row)),
        ]
        m.d.sync += self.w.valid.eq(self.sending & ~(moves & walk.ends))
        with m.If(starts):
            m.d.sync += [line.eq(local), word.eq(local), self.sending.eq(1)]
        with m.Elif(moves):
            m.d.sync += word.eq(following)
            with m.If(walk.ends_row):
                m.d.sync += line.eq(line + 1)
            with m.If(walk.ends):
                m.d.sync += self.sending.eq(0)

    def _complete(self, m: Module, posts: Value) -> None:
        """Count the answers that are still to come."""
        unanswered, post = self.unanswered, Signal.like(self.done0.post)
        comes = wire(m, "comes", self.b.valid & self.b.ready)
        ends = wire(m, "ends", comes & (unanswered == 1))
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += [unanswered.eq(self.bursts.number), post.eq(posts)]
        with m.Elif(comes):
            m.d.sync += unanswered.eq(unanswered - 1)
        with m.If(ends):
            m.d.sync += self.running.eq(0)
        m.d.comb += [self.b.ready.eq(self.running), self.done0.valid.eq(ends), self.done0.post.eq(post)]


def _take(m: Module, engine: LoadEngine | StoreEngine, bursts: Bursts, walk: Walk) -> data.View:
    """Take a command when none is under way; what stands on the wires of `start`, read as one."""
    command = data.View(transfer_layout(), Value.cast(engine.start.payload))
    starts = wire(m, "starts", engine.start.valid & engine.start.ready)
    m.d.comb += engine.start.ready.eq(~engine.running)
    for part in (bursts, walk):
        m.d.comb += [part.command.eq(command), part.begins.eq(starts)]
    with m.If(starts):
        m.d.sync += engine.running.eq(1)
    return command
