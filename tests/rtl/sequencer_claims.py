"""What is claimed of the sequencer: a second count of all tokens, kept outside it, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Mux, Signal, Value
from amaranth.lib import wiring

from accelsim.program.instruction import OPS, QUEUES, SEMAPHORES
from rtl.formal import Claims, Properties, stream_rules
from rtl.layer.sequencer import ERRORS, Sequencer
from rtl.streams import Fifo
from tests.rtl.picked import Picked

NOP, HALT = OPS.index("NOP"), OPS.index("HALT")


@dataclass(frozen=True)
class Watched:
    """What stands beside a sequencer.

    Attributes:
        leaves: whether the head of each queue starts at this edge.
        tokens: of every semaphore, exactly, as long as it is not in `lost`.
        lost: which semaphores had more tokens than their bits can count.
        free: whether instructions may start: HALT has come, or a queue was full.
        under_way: instructions of each queue that have started and not completed.
    """

    leaves: dict[str, Value]
    tokens: list[Signal]
    lost: Signal
    halted: Signal
    free: Signal
    under_way: dict[str, Signal]


def keeps_stream_rules(claims: Claims, block: wiring.Component) -> None:
    """The rules of streams, with what it takes to prove them."""
    assert isinstance(block, Sequencer)
    _queues(claims, block)
    _neighbours(claims, block)
    stream_rules(claims, block)


def enters_somewhere(claims: Claims, block: wiring.Component) -> None:
    """What is taken in comes to one queue, or is refused."""
    assert isinstance(block, Sequencer)
    entered = block.program.valid & block.program.ready
    pushes = sum(fifo.i.valid & fifo.i.ready for fifo in block.queues.values())
    wanted = claims.past(entered & (block.program.payload.op != HALT))
    pushed = claims.past(pushes)
    claims.always("queued_or_refused", pushed + (wanted & block.refused.any()) == wanted)
    claims.reached("is_queued", pushed == 1)
    claims.reached("is_refused", wanted & (pushed == 0))


def covers_everything(claims: Claims, block: wiring.Component) -> None:
    """The runs that the claims speak of."""
    assert isinstance(block, Sequencer)
    stream_rules(claims, block)
    _neighbours(claims, block)
    _covers(claims, block)


def counts_tokens(claims: Claims, block: wiring.Component) -> None:
    """Tokens are counted exactly and never taken where there are none; starts are neither early nor late."""
    assert isinstance(block, Sequencer)
    seen = _watched(claims, block, _neighbours(claims, block))
    _queues(claims, block)
    _tokens(claims, block, seen)
    _starts(claims, block, seen)
    _programs(claims, block, seen)


def only(part: str, properties: Properties) -> Properties:
    """Those claims that have `part` in their name, of small programs: broken ones are found soon."""

    def picked(claims: Claims, block: wiring.Component) -> None:
        small_programs(claims, block)
        properties(Picked(claims, part), block)

    return picked


def small_programs(claims: Claims, block: wiring.Component) -> None:
    """Fewer runs, so that one that breaks a claim is found soon: one semaphore, three queues, no other fields."""
    assert isinstance(block, Sequencer)
    given = block.program.payload
    claims.given("one_semaphore", (given.wait | given.post) <= 1)
    claims.given("no_fields", (given.flags == 0) & (given.a == 0) & (given.b == 0) & (given.dst == 0))
    claims.given("no_sizes", (given.rows == 0) & (given.cols == 0) & (given.imm <= 1))
    for queue in QUEUES:
        claims.given(f"{queue}_posts_one", getattr(block, f"done_{queue}0").post <= 1)


def _neighbours(claims: Claims, block: Sequencer) -> dict[str, Signal]:
    """Engines complete what they have begun, once, and have no more under way than a queue is deep."""
    found = {}
    for queue in QUEUES:
        start, done = getattr(block, f"start_{queue}"), getattr(block, f"done_{queue}0")
        found[queue] = under = Signal(range(block.depth + 1), name=f"under_way_{queue}")
        claims.m.d.sync += under.eq(under + (start.valid & start.ready) - done.valid)
        claims.given(f"{queue}_completes_what_began", ~done.valid | (under != 0) | (start.valid & start.ready))
        claims.given(f"{queue}_has_room", ~start.ready | (under != block.depth))
        claims.always(f"{queue}_has_no_more_under_way", under <= block.depth)
    claims.always("pending_is_under_way", block.pending == sum(found.values()))
    return found


def _watched(claims: Claims, block: Sequencer, under_way: dict[str, Signal]) -> Watched:
    m = claims.m
    leaves = {queue: fifo.o.valid & fifo.o.ready for queue, fifo in block.queues.items()}
    tokens = [Signal(len(block.counts[0]), name=f"tokens_{s}") for s in range(SEMAPHORES)]
    lost, halted, free = Signal(SEMAPHORES), Signal(), Signal()
    taken = [Mux(leaves[queue], fifo.o.payload.wait, 0) for queue, fifo in block.queues.items()]
    posted = [
        *(
            Mux(leaves[queue] & (fifo.o.payload.op == NOP), fifo.o.payload.post, 0)
            for queue, fifo in block.queues.items()
        ),
        *(Mux(port.valid, port.post, 0) for port in (getattr(block, f"done_{queue}0") for queue in QUEUES)),
    ]
    told = block.status.valid & block.status.ready
    nothing = ~Cat(*(fifo.level for fifo in block.queues.values()), *under_way.values()).any()
    ended = told & block.whole & nothing
    for s, count in enumerate(tokens):
        after = Signal(len(count) + 8, name=f"tokens_after_{s}")
        m.d.comb += after.eq(count + sum(mask[s] for mask in posted) - reduce(or_, (mask[s] for mask in taken)))
        m.d.sync += [count.eq(Mux(ended, 0, after)), lost[s].eq(lost[s] | (after >> len(count)).any())]
    entered = block.program.valid & block.program.ready
    full = Cat(fifo.level == block.depth for fifo in block.queues.values()).any()
    halts = entered & (block.program.payload.op == HALT)
    m.d.sync += [halted.eq(~told & (halted | halts)), free.eq(~ended & (free | halts | full))]
    return Watched(leaves, tokens, lost, halted, free, under_way)


def _queues(claims: Claims, block: Sequencer) -> None:
    """What the queues hold lies in its place, and waits for semaphores of its own queue only."""
    for place, (queue, fifo) in enumerate(block.queues.items()):
        end = fifo.head + fifo.level
        claims.always(f"{queue}_level_fits", fifo.level <= fifo.depth)
        claims.always(f"{queue}_places_fit", (fifo.head < fifo.depth) & (fifo.tail < fifo.depth))
        claims.always(f"{queue}_tail_follows", fifo.tail == Mux(end >= fifo.depth, end - fifo.depth, end))
        own = Cat(owned & (owner == place) for owned, owner in zip(block.owned, block.owner, strict=True))
        for at in range(fifo.depth):
            claims.always(
                f"{queue}_{at}_waits_for_its_own", ~_held(fifo, at) | ((_waits(claims, fifo, at) & ~own) == 0)
            )


def _waits(claims: Claims, fifo: Fifo, place: int) -> Value:
    """The wait mask of what lies in a place of a queue."""
    spy = fifo.memory.read_port(domain="comb")
    claims.m.d.comb += spy.addr.eq(place)
    return Value.cast(spy.data.wait)


def _held(fifo: Fifo, place: int) -> Value:
    before = Mux(fifo.head <= place, place - fifo.head, place + fifo.depth - fifo.head)
    return before < fifo.level


def _tokens(claims: Claims, block: Sequencer, seen: Watched) -> None:
    takers = {
        s: [seen.leaves[queue] & f.o.payload.wait[s] for queue, f in block.queues.items()] for s in range(SEMAPHORES)
    }
    for s in range(SEMAPHORES):
        some = reduce(or_, takers[s])
        claims.always(f"semaphore_{s}_is_exact", seen.lost[s] | (block.counts[s] == seen.tokens[s]))
        claims.always(f"semaphore_{s}_is_not_taken_at_0", ~some | seen.lost[s] | (seen.tokens[s] != 0))
        claims.always(f"semaphore_{s}_has_one_taker", sum(takers[s]) <= 1)
    claims.always("overflow_is_known", block.overflowed == seen.lost.any())


def _starts(claims: Claims, block: Sequencer, seen: Watched) -> None:
    """An instruction starts at the first edge at which it may."""
    there = Cat(
        seen.lost[s] & (block.counts[s] != 0) | ~seen.lost[s] & (seen.tokens[s] != 0) for s in range(SEMAPHORES)
    )
    claims.always("running_is_free", block.running == seen.free)
    for queue, fifo in block.queues.items():
        head, start = fifo.o.payload, getattr(block, f"start_{queue}")
        may = seen.free & fifo.o.valid & ((head.wait & ~there) == 0)
        claims.always(f"{queue}_starts_at_once", seen.leaves[queue] == (may & ((head.op == NOP) | start.ready)))
        claims.always(f"{queue}_is_offered", start.valid == (may & (head.op != NOP)))
        claims.always(f"{queue}_is_the_head", ~start.valid | (Value.cast(start.payload) == Value.cast(head)))


def _programs(claims: Claims, block: Sequencer, seen: Watched) -> None:
    """One program after the other, each from nothing."""
    error = block.status.payload.error
    nothing = ~Cat(fifo.level for fifo in block.queues.values()).any() & ~Cat(seen.under_way.values()).any()
    claims.always("halted_is_whole", ~seen.halted | block.whole)
    claims.always("closed_behind_halt", ~(seen.halted & block.program.ready))
    claims.always("closed_when_wrong", ~((block.refused.any() | seen.lost.any()) & block.program.ready))
    claims.always("ends_with_nothing_left", ~block.status.valid | block.refused.any() | (nothing & block.whole))
    claims.always("no_error_is_true", ~block.status.valid | (error != 0) | ~(seen.lost.any() | block.refused.any()))
    ended = claims.past(block.status.valid & block.status.ready & (error == 0))
    claims.always(
        "next_begins_from_nothing", ~ended | (nothing & ~Cat(block.counts, block.owned).any() & ~block.running)
    )


def _covers(claims: Claims, block: Sequencer) -> None:
    m = claims.m
    for queue in ("array", "store"):
        fifo, start = block.queues[queue], getattr(block, f"start_{queue}")
        waited = claims.past(block.running & fifo.o.valid & ~start.valid & (fifo.o.payload.op != NOP))
        claims.reached(f"{queue}_starts_after_a_wait", waited & start.valid & start.ready)
    posts = block.done_load0.valid & block.done_load0.post[0]
    takes = block.start_array.valid & block.start_array.ready & block.start_array.payload.wait[0]
    claims.reached("post_meets_take", posts & takes)
    told = block.status.valid & block.status.ready
    for error, name in enumerate(ERRORS):
        claims.reached(f"says_{name}", told & (block.status.payload.error == error))
    second = Signal()
    with m.If(told):
        m.d.sync += second.eq(1)
    claims.reached("second_program_starts", second & block.start_load.valid & block.start_load.ready)
