"""What is claimed of each block of the stream library, beyond the rules of streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import and_, mul

from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value

from rtl.formal.claims import Claims
from rtl.streams import AddressGenerator, Arbiter, Fifo, Fork, Join, SkidBuffer

Held = Callable[[Value], Value]


@dataclass(frozen=True)
class Walk:
    """Where a second walker through a nest is, of each loop the innermost first."""

    base: Signal
    index: list[Signal]
    share: list[Signal]
    ends: list[Value]


def tracked_word(claims: Claims, block: Fifo | SkidBuffer, level: Value, held: Held) -> None:
    """Any payload, picked when it goes in, comes out unchanged after exactly those that were there before it.

    `level` is how many payloads the block holds; `held(n)` the one that has n before it.
    """
    m = claims.m
    pick = claims.free("pick", 1)
    tracking, ahead, word = Signal(), Signal.like(level), Signal.like(Value.cast(block.i.payload))
    push, pop = block.i.valid & block.i.ready, block.o.valid & block.o.ready
    with m.If(~tracking & pick & push):
        m.d.sync += [tracking.eq(1), ahead.eq(level - pop), word.eq(block.i.payload)]
    with m.Elif(tracking & pop):
        m.d.sync += [tracking.eq(ahead != 0), ahead.eq(ahead - 1)]
    leaves = tracking & (ahead == 0) & block.o.valid
    claims.always("tracked_is_there", ~tracking | (ahead < level))
    claims.always("tracked_is_held", ~tracking | (held(ahead) == word))
    claims.always("tracked_comes_out", ~leaves | (Value.cast(block.o.payload) == word))
    claims.reached("tracked_leaves", leaves & block.o.ready & (word != 0))


def fifo_claims(claims: Claims, fifo: Fifo) -> None:
    """Places stay in the memory, the queue lies between head and tail, and any payload comes out in its turn."""
    spy = fifo.memory.read_port(domain="comb")

    def held(ahead: Value) -> Value:
        place = fifo.head + ahead
        claims.m.d.comb += spy.addr.eq(Mux(place >= fifo.depth, place - fifo.depth, place))
        return Value.cast(spy.data)

    end = fifo.head + fifo.level
    claims.always("level_fits", fifo.level <= fifo.depth)
    claims.always("places_fit", (fifo.head < fifo.depth) & (fifo.tail < fifo.depth))
    claims.always("tail_follows", fifo.tail == Mux(end >= fifo.depth, end - fifo.depth, end))
    claims.reached("becomes_full", fifo.level == fifo.depth)
    claims.reached("becomes_empty", (fifo.level == 0) & (claims.past(fifo.level) != 0))
    tracked_word(claims, fifo, fifo.level, held)


def skid_claims(claims: Claims, skid: SkidBuffer) -> None:
    """The second register is filled only behind the first, and any payload comes out in its turn."""
    level = Signal(2)
    claims.m.d.comb += level.eq(skid.o.valid + skid.full)
    claims.always("spare_is_second", ~skid.full | skid.o.valid)
    claims.reached("becomes_full", skid.full)
    tracked_word(claims, skid, level, lambda ahead: Mux(ahead == 0, Value.cast(skid.o.payload), Value.cast(skid.spare)))


def fork_claims(claims: Claims, fork: Fork) -> None:
    """Between two transfers of the input each output moves exactly once, with the input's payload."""
    m = claims.m
    got = Signal(len(fork.o))
    moves = Cat(out.valid & out.ready for out in fork.o)
    taken = fork.i.valid & fork.i.ready
    m.d.sync += got.eq(Mux(taken, 0, got | moves))
    claims.always("taken_is_known", got == fork.taken)
    claims.always("none_twice", (got & moves) == 0)
    claims.always("all_once", ~taken | (got | moves).all())
    for place, out in enumerate(fork.o):
        claims.always(f"payload_{place}", ~out.valid | (Value.cast(out.payload) == Value.cast(fork.i.payload)))
    claims.reached("one_waits_for_another", taken & (got != 0))


def join_claims(claims: Claims, join: Join) -> None:
    """All inputs move together with the output, which carries all their payloads."""
    moves = join.o.valid & join.o.ready
    for place in range(len(join.shapes)):
        port, part = getattr(join, f"i{place}"), Value.cast(join.o.payload[f"p{place}"])
        claims.always(f"input_{place}_moves", (port.valid & port.ready) == moves)
        claims.always(f"input_{place}_arrives", ~join.o.valid | (part == Value.cast(port.payload)))
    claims.reached("all_move", moves)


def arbiter_claims(claims: Claims, arbiter: Arbiter) -> None:
    """One input at a time, its own payload, its packet whole; one that waits sees at most one packet of each other."""
    m, last = claims.m, arbiter.inputs - 1
    source, moves = arbiter.o.payload.source, arbiter.o.valid & arbiter.o.ready
    end = moves & (arbiter.o.payload.payload.last if arbiter.packets else 1)
    taken = Cat(port.valid & port.ready for port in arbiter.i)
    payloads = Array(Value.cast(port.payload) for port in arbiter.i)
    claims.always("source_fits", (source <= last) & (arbiter.turn <= last))
    claims.always("takes_from_source", taken == Mux(moves, 1 << source, 0))
    claims.always("sends_its_payload", ~arbiter.o.valid | (Value.cast(arbiter.o.payload.payload) == payloads[source]))
    within, owner = Signal(), Signal.like(arbiter.turn)
    with m.If(moves):
        m.d.sync += [within.eq(~end), owner.eq(source)]
    claims.always("packet_is_whole", ~within | (arbiter.held & (arbiter.turn == owner)))
    waiting, others, watched = _watch(claims, arbiter, end)
    distance = Mux(watched >= arbiter.turn, watched - arbiter.turn, watched + arbiter.inputs - arbiter.turn)
    claims.always("none_starves", others <= last)
    claims.always("turn_comes_near", ~waiting | (others + distance <= last))
    claims.reached("waits_longest", waiting & (others == last))


def _watch(claims: Claims, arbiter: Arbiter, end: Value) -> tuple[Value, Value, Value]:
    """Whether any one input waits, how many packets of others have ended meanwhile, and which input it is."""
    m = claims.m
    watched = claims.constant("watched", range(arbiter.inputs))
    claims.given("watched_fits", watched < arbiter.inputs)
    waiting, others = Signal(), Signal(range(arbiter.inputs + 1))
    m.d.comb += waiting.eq(Array(port.valid & ~port.ready for port in arbiter.i)[watched])
    m.d.sync += others.eq(Mux(waiting, Mux(end & (others < arbiter.inputs), others + 1, others), 0))
    return waiting, others, watched


def address_claims(claims: Claims, block: AddressGenerator) -> None:
    """The nest is walked in order: a second walker, with a sum of strides for each loop, is always at the same place.

    Each loop began where the one outside it did, plus its own sum; so the address is base plus all sums.
    """
    _walk_claims(claims, block)


def _walk_claims(claims: Claims, block: AddressGenerator) -> Walk:
    walk = _walker(claims, block)
    busy, outer = block.o.valid, [*block.began, walk.base][1:]
    for loop in range(block.loops):
        began = (outer[loop] + walk.share[loop])[: block.address_width]
        claims.always(f"index_{loop}_agrees", ~busy | (block.index[loop] == walk.index[loop]))
        claims.always(f"index_{loop}_in_bounds", ~busy | (walk.index[loop] <= block.final[loop]))
        claims.always(f"turn_{loop}_began_there", ~busy | (block.began[loop] == began))
        claims.reached(f"loop_{loop}_turns", busy & (walk.index[loop] != 0))
    claims.always("address_agrees", ~busy | (block.o.payload.address == block.began[0]))
    claims.always("ends_agree", ~busy | (block.o.payload.ends == Cat(walk.ends)))
    claims.reached("nest_ends", busy & walk.ends[-1] & (walk.index[-1] != 0))
    return walk


def address_product_claims(claims: Claims, block: AddressGenerator) -> None:
    """Beyond `address_claims`, exact length and bounds, for sizes at which a solver can multiply.

    The number of addresses is the product of all turns, each address is base + sum of index times stride, and where
    strides are not negative and nothing wraps, none lies outside the first and the last.
    """
    walk = _walk_claims(claims, block)
    m, final, busy, address = claims.m, block.final, block.o.valid, block.o.payload.address
    sizes = [reduce(mul, (final[inner] + 1 for inner in range(loop)), Const(1)) for loop in range(block.loops + 1)]
    sent = Signal(len(sizes[-1]))
    with m.If(busy & block.o.ready):
        m.d.sync += sent.eq(Mux(walk.ends[-1], 0, sent + 1))
    for loop in range(block.loops):
        product = (walk.index[loop] * block.stride[loop])[: block.address_width]
        claims.always(f"share_{loop}_is_product", ~busy | (walk.share[loop] == product))
    position = sum((place * size for place, size in zip(walk.index, sizes[:-1], strict=True)), Const(0))
    claims.always("sent_is_position", Mux(busy, sent == position, sent == 0))
    claims.always("length_is_exact", ~(busy & walk.ends[-1]) | (sent == sizes[-1] - 1))
    highest = sum((final[loop] * block.stride[loop] for loop in range(block.loops)), walk.base)
    rising = reduce(and_, (block.stride[loop] >= 0 for loop in range(block.loops)))
    plain = busy & rising & (highest < 1 << block.address_width)
    claims.always("address_in_bounds", ~plain | ((address >= walk.base) & (address <= highest)))
    claims.reached("longest", busy & walk.ends[-1] & (sent == (1 << block.count_width) ** block.loops - 1))
    claims.reached("highest", plain & (address == highest) & (address > walk.base))


def _walker(claims: Claims, block: AddressGenerator) -> Walk:
    """A walk through the nest: index times stride by repeated addition, and which loops are in their end."""
    m, loops = claims.m, range(block.loops)
    index = [Signal(block.count_width, name=f"walker_index_{loop}") for loop in loops]
    share = [Signal(block.address_width, name=f"walker_share_{loop}") for loop in loops]
    base = Signal(block.address_width, name="walker_base")
    done = [index[loop] == block.final[loop] for loop in loops]
    ends = [reduce(and_, done[: loop + 1]) for loop in loops]
    begins = block.command.valid & block.command.ready
    with m.If(begins):
        m.d.sync += base.eq(block.command.payload.base)
    for loop in loops:
        with m.If(begins):
            m.d.sync += [index[loop].eq(0), share[loop].eq(0)]
        with m.Elif(block.o.valid & block.o.ready & (ends[loop - 1] if loop else 1)):
            m.d.sync += [index[loop].eq(index[loop] + 1), share[loop].eq(share[loop] + block.stride[loop])]
            with m.If(done[loop]):
                m.d.sync += [index[loop].eq(0), share[loop].eq(0)]
    return Walk(base, index, share, ends)
