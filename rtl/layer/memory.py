"""A memory behind the memory port that answers after a fixed number of edges, for benches."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out, Signature

from accelsim.errors import AccelsimError
from rtl.block import Block, check_size
from rtl.layer.memory_port import MOST_READS, PAGE, WORD, WORD_BYTES, read_ports, request_layout, served, write_ports
from rtl.pipeline import wire
from rtl.streams import Fifo

LATENCY = 10  # bits
MOST_WORDS = 1 << 24
MOST_WRITES = 4  # bursts requested whose beats have not all come
MOST_UNANSWERED = 1 << 12  # bursts whose answer was due and was not taken, from which on no beat is taken


class Answers(Block):
    """Each event is answered `latency` edges later, in order: the count of answers that are due, without streams.

    The edge at which an answer is due is kept modulo 2^latency_bits, and taken out at that edge.

    Ports:
        latency: input, from 1 on, the same while an answer is under way.
        happens: input, an event happens at this edge.
        taken: input, an answer that is due is taken at this edge.
        due: output, whether an answer is due.
        owed: output, how many were due before this edge and have not been taken.

    After a reset no event is known.
    """

    def __init__(self, latency_bits: int, most_under_way: int, most_owed: int) -> None:
        self.now = Signal(latency_bits)
        self.times = Fifo(latency_bits, most_under_way)
        ports = {"latency": In(latency_bits), "happens": In(1), "taken": In(1), "due": Out(1)}
        super().__init__({**ports, "owed": Out(range(most_owed + 1))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.times = times = self.times
        comes = wire(m, "comes", times.o.valid & (times.o.payload == self.now))
        m.d.comb += [
            times.i.valid.eq(self.happens),
            times.i.payload.eq(self.now + self.latency),
            times.o.ready.eq(comes),
            self.due.eq((self.owed != 0) | comes),
        ]
        m.d.sync += [self.now.eq(self.now + 1), self.owed.eq(self.owed + comes - self.taken)]
        return m


def image_layout(words: int) -> data.StructLayout:
    """A word to be there from the begin: `word`, its address in words, and its `data`."""
    return data.StructLayout({"word": range(words), "data": WORD})


class FixedLatencyMemory(Block):
    """`words` words of 64 bits, from address 0 on. Reads and writes go on at once.

    The first beat of a burst is there exactly `latency` edges after its request, or right behind the beat before it;
    then one per edge. A beat that is not taken holds all behind it. Its word is what the memory held before the edge
    at which it was first there. A beat to be written is taken from the edge after its request on, one per edge, and
    written at that edge; the answer to a burst is there exactly `latency` edges after its last beat. Contents are zeros
    at first and survive a reset, at whose edges nothing is written.

    Ports:
        ar, r, aw, w, b: see `read_ports` and `write_ports`, seen from here. `ar` is ready while fewer than MOST_READS
            bursts are requested and not complete, `aw` while fewer than MOST_WRITES have beats to come, `w` when one
            has; unless a word of the image comes.
        image: input stream of `image_layout(words)`, always ready.
        latency: input, from 1 to 2^latency_bits - 1, the same for a whole run.
        wrote: output, `word` and `data` of the beat that is written at this edge; valid where `enable` is high.
        error: output, high from the edge after one on at which a rule of the port was broken: a request while
            MOST_READS are not complete; a burst that is not aligned to words, crosses a bound of PAGE bytes or leaves
            the memory; a `last` that is not at the end of its burst.

    After a reset nothing is requested.
    """

    def __init__(self, words: int, latency_bits: int = LATENCY) -> None:
        check_size("words of a memory", words, 2, MOST_WORDS)
        if words & (words - 1):
            raise AccelsimError(f'words of a memory: must be a power of two, got "{words}"')
        check_size("bits of a latency", latency_bits, 1, LATENCY)
        self.words = words
        self.contents = memory.Memory(shape=WORD, depth=words, init=[])
        self.reads = Fifo(request_layout(), MOST_READS)
        self.writes = Fifo(request_layout(), MOST_WRITES)
        self.read_answers = Answers(latency_bits, MOST_READS, MOST_READS)
        most = 1 << latency_bits
        self.write_answers = Answers(latency_bits, most, MOST_UNANSWERED + most)
        self.waited = Signal()
        self.beat_read = Signal(8)
        self.beat_written = Signal(8)
        write = Signature({"word": Out(range(words)), "data": Out(WORD), "enable": Out(1)})
        pins = {"latency": In(latency_bits), "wrote": Out(write), "error": Out(1)}
        image = In(stream.Signature(image_layout(words)))
        super().__init__({**served(read_ports()), **served(write_ports()), "image": image, **pins})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.contents = self.contents
        m.submodules.reads = self.reads
        m.submodules.writes = self.writes
        m.submodules.read_answers = self.read_answers
        m.submodules.write_answers = self.write_answers
        self._read(m)
        self._write(m)
        return m

    def _read(self, m: Module) -> None:
        r, queue, answers = self.r, self.reads, self.read_answers
        request, port = queue.o.payload, self.contents.read_port(domain="comb")
        kept = Signal(WORD)
        moves = wire(m, "read_moves", r.valid & r.ready)
        completes = wire(m, "read_completes", moves & r.payload.last)
        m.d.comb += [
            self._queued(self.ar, queue),
            queue.o.ready.eq(completes),
            answers.latency.eq(self.latency),
            answers.happens.eq(self.ar.valid & self.ar.ready),
            answers.taken.eq(completes),
            port.addr.eq(self._word_of(request, self.beat_read)),
            r.valid.eq(answers.due),
            r.payload.data.eq(Mux(self.waited, kept, port.data)),
            r.payload.last.eq(self.beat_read == request.beats),
        ]
        m.d.sync += [self.waited.eq(r.valid & ~r.ready), kept.eq(r.payload.data)]
        self._count(m, self.beat_read, moves, r.payload.last)
        with m.If(self.ar.valid & (~self.ar.ready | self._is_wrong(self.ar.payload))):
            m.d.sync += self.error.eq(1)

    def _write(self, m: Module) -> None:
        w, queue, answers = self.w, self.writes, self.write_answers
        request, port = queue.o.payload, self.contents.write_port()
        ends = wire(m, "write_ends", self.beat_written == request.beats)
        moves = wire(m, "write_moves", w.valid & w.ready)
        m.d.comb += [
            self._queued(self.aw, queue),
            queue.o.ready.eq(moves & ends),
            w.ready.eq(queue.o.valid & ~self.image.valid & (answers.owed < MOST_UNANSWERED)),
            answers.latency.eq(self.latency),
            answers.happens.eq(moves & ends),
            answers.taken.eq(self.b.valid & self.b.ready),
            self.b.valid.eq(answers.due),
            self.image.ready.eq(1),
            self.wrote.enable.eq(moves),
            self.wrote.word.eq(self._word_of(request, self.beat_written)),
            self.wrote.data.eq(w.payload.data),
            port.en.eq((moves | self.image.valid) & ~ResetSignal()),
            port.addr.eq(Mux(moves, self.wrote.word, self.image.payload.word)),
            port.data.eq(Mux(moves, self.wrote.data, self.image.payload.data)),
        ]
        self._count(m, self.beat_written, moves, ends)
        with m.If((self.aw.valid & self._is_wrong(self.aw.payload)) | (moves & (w.payload.last != ends))):
            m.d.sync += self.error.eq(1)

    def _queued(self, requests: stream.Interface, queue: Fifo) -> list[Value]:
        return [
            queue.i.valid.eq(requests.valid),
            queue.i.payload.eq(requests.payload),
            requests.ready.eq(queue.i.ready),
        ]

    def _count(self, m: Module, beat: Signal, moves: Value, ends: Value) -> None:
        with m.If(moves):
            m.d.sync += beat.eq(Mux(ends, 0, beat + 1))

    def _word_of(self, request: data.View, beat: Value) -> Value:
        """The address in words of a beat of a burst."""
        bits = (self.words - 1).bit_length()
        return (request.addr[(WORD_BYTES - 1).bit_length() :] + beat)[:bits]

    def _is_wrong(self, request: data.View) -> Value:
        """Whether a burst breaks a rule of the port."""
        aligned, page = (WORD_BYTES - 1).bit_length(), (PAGE - 1).bit_length()
        last = request.addr[aligned:] + request.beats
        crosses = (request.addr[aligned:page] + request.beats) >= PAGE // WORD_BYTES
        return (request.addr[:aligned] != 0) | crosses | (last >= self.words)
