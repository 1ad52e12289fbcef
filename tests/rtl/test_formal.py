"""Proofs of the stream library, each with its covers and a broken variant that is refuted, and of the prover itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import memory, stream
from amaranth.lib.wiring import In, Out

from accelsim.errors import AccelsimError
from rtl import yosys
from rtl.block import Block
from rtl.formal import (
    Claims,
    Properties,
    check_ready_paths,
    goes_on,
    model,
    prove,
    ready_paths,
    sat,
    stream_rules,
    together,
)
from rtl.formal.library import (
    address_claims,
    address_product_claims,
    arbiter_claims,
    fifo_claims,
    fork_claims,
    join_claims,
    skid_claims,
)
from rtl.streams import AddressGenerator, Arbiter, Fifo, Fork, Join, Narrow, SkidBuffer, Widen, packet_layout

SMALL, REAL = packet_layout(2), packet_layout(32)
Build = Callable[[], Block]


@dataclass(frozen=True)
class Proven:
    """A block and what is claimed of it; `within`: edges in which every stream moves when its neighbours let it."""

    name: str
    build: Build
    claims: Properties | None = None
    depth: int = 3
    cover: int = 20
    within: int = 0

    def properties(self) -> Properties:
        return together(stream_rules, self.claims) if self.claims else stream_rules


PROVEN = [
    Proven("fifo of one", lambda: Fifo(SMALL, 1), fifo_claims, within=3),
    Proven("small fifo", lambda: Fifo(SMALL, 3), fifo_claims, within=2),
    Proven("real fifo", lambda: Fifo(REAL, 8), fifo_claims, within=2),
    Proven("small skid", lambda: SkidBuffer(SMALL), skid_claims, within=2),
    Proven("real skid", lambda: SkidBuffer(512), skid_claims, within=2),
    Proven("small fork", lambda: Fork(SMALL, 2), fork_claims, within=1),
    Proven("real fork", lambda: Fork(REAL, 8), fork_claims, within=1),
    Proven("small join", lambda: Join([1, SMALL]), join_claims, within=1),
    Proven("real join", lambda: Join([REAL] * 8), join_claims, within=1),
    Proven("arbiter of one", lambda: Arbiter(SMALL, 1), arbiter_claims, within=1),
    Proven("small arbiter", lambda: Arbiter(SMALL, 3), arbiter_claims, within=3),
    Proven("small arbiter of packets", lambda: Arbiter(SMALL, 3, packets=True), arbiter_claims),
    Proven("real arbiter", lambda: Arbiter(REAL, 8, packets=True), arbiter_claims),
    Proven("small widen", lambda: Widen(2, 3), within=4),
    Proven("real widen", lambda: Widen(32, 8), within=9),
    Proven("small narrow", lambda: Narrow(2, 3), within=4),
    Proven("real narrow", lambda: Narrow(32, 8), within=9),
    Proven("small address generator", lambda: AddressGenerator(2, 5, 2), address_product_claims, within=17),
    Proven("real address generator", lambda: AddressGenerator(3, 32, 16), address_claims, 1),
]
EACH = pytest.mark.parametrize("proven", PROVEN, ids=lambda proven: proven.name)


@pytest.mark.slow
@EACH
def test_claims_hold_in_all_runs(proven: Proven) -> None:
    assert prove(proven.build(), proven.properties(), proven.depth).holds


@pytest.mark.slow
@EACH
def test_claims_hold_bit_by_bit(proven: Proven) -> None:
    assert prove(proven.build(), proven.properties(), proven.depth, solver="bits").holds


@pytest.mark.slow
@EACH
def test_claims_speak_of_runs_that_exist(proven: Proven) -> None:
    assert prove(proven.build(), proven.properties(), proven.cover, "cover").holds


@pytest.mark.slow
@EACH
def test_a_willing_neighbour_is_served(proven: Proven) -> None:
    if proven.within:
        assert prove(proven.build(), goes_on(proven.within), 30, "bounded").holds
        assert prove(proven.build(), goes_on(proven.within), 30, "cover").holds


@EACH
def test_no_path_from_ready_to_valid(proven: Proven) -> None:
    check_ready_paths(proven.build())


# Broken variants: each does one thing wrong, and a run from reset must show it.


class Overfull(Fifo):
    """Takes a payload more than it has places."""

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.whole = whole = Fifo(self.shape, self.depth)
        m.d.comb += [whole.o.ready.eq(self.o.ready), self.o.valid.eq(whole.o.valid), self.o.payload.eq(whole.o.payload)]
        m.d.comb += [whole.i.valid.eq(self.i.valid), whole.i.payload.eq(self.i.payload), self.i.ready.eq(1)]
        m.d.comb += [self.level.eq(whole.level), self.head.eq(whole.head), self.tail.eq(whole.tail)]
        m.submodules.memory = self.memory
        return m


class Forgetful(SkidBuffer):
    """Is ready also while its second register is full."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        with m.If(self.full & self.i.valid & ~self.o.ready):
            m.d.sync += self.spare.eq(self.i.payload)
        return m


class Restless(SkidBuffer):
    """Changes its payload while it waits."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        with m.If(self.full & ~self.o.ready):
            m.d.sync += self.o.payload.eq(self.spare)
        return m


class Twice(Fork):
    """Sends a payload again to an output that waits for the others."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.o[0].valid.eq(self.i.valid)
        return m


class Hasty(Join):
    """Takes the first input without the others."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.i0.ready.eq(self.o.ready)
        return m


class Unfair(Arbiter):
    """Begins with input 0 again after every packet."""

    def _after(self, place: Value) -> Value:
        return Value.cast(0)


class Fickle(Arbiter):
    """Grants another input between two payloads of a packet."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.sync += self.held.eq(0)
        return m


class Short(AddressGenerator):
    """Ends one address early where the innermost loop has more than one turn."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        early = (self.index[0] + 1 == self.final[0]) & (self.index[1] == self.final[1])
        with m.If(self.o.valid & self.o.ready & early):
            m.d.sync += self.o.valid.eq(0)
        return m


class Astray(AddressGenerator):
    """Takes the outer loop's stride with one bit wrong."""

    def _step(self, m: Module, ends: list[Signal]) -> None:
        super()._step(m, ends)
        with m.If(ends[0]):
            m.d.sync += self.began[0].eq(self.began[1] + self.stride[1] + 1)


BROKEN: list[tuple[str, Build, Properties, str]] = [
    ("overfull fifo", lambda: Overfull(SMALL, 2), fifo_claims, "tracked_"),
    ("forgetful skid", lambda: Forgetful(SMALL), skid_claims, "tracked_is_held"),
    ("restless skid", lambda: Restless(SMALL), skid_claims, "o_keeps"),
    ("fork that repeats", lambda: Twice(SMALL, 2), fork_claims, "none_twice"),
    ("hasty join", lambda: Hasty([1, SMALL]), join_claims, "input_0_moves"),
    ("unfair arbiter", lambda: Unfair(SMALL, 3), arbiter_claims, "none_starves"),
    ("fickle arbiter", lambda: Fickle(SMALL, 3, packets=True), arbiter_claims, "packet_is_whole"),
    ("short address generator", lambda: Short(2, 5, 2), address_product_claims, "sent_is_position"),
    ("address generator astray", lambda: Astray(2, 5, 2), address_claims, "turn_0_began_there"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "build", "claims", "broken"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_variant_is_refuted(name: str, build: Build, claims: Properties, broken: str, tmp_path: Path) -> None:
    waves = tmp_path / "run.vcd"
    proof = prove(build(), together(stream_rules, claims), 6, waves=waves)
    assert proof.verdict == "refuted"
    assert any(claim.startswith(broken) for claim in proof.broken), proof
    assert "$enddefinitions" in waves.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "build", "claims", "broken"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_variant_is_refuted_bit_by_bit(name: str, build: Build, claims: Properties, broken: str) -> None:
    assert prove(build(), together(stream_rules, claims), 6, solver="bits").verdict == "refuted"


class Stuck(SkidBuffer):
    """Takes nothing any more after its first payload."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        done = Signal()
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += done.eq(1)
        m.d.comb += self.i.ready.eq(~self.full & ~done)
        return m


@pytest.mark.slow
def test_one_that_stops_is_refuted() -> None:
    proof = prove(Stuck(SMALL), goes_on(4), 30, "bounded")
    assert proof.verdict == "refuted"
    assert set(proof.broken) <= {"i_goes_on", "o_goes_on"}


class Leaky(Block):
    """Lets ready reach valid and payload, through an adder and a memory's address."""

    def __init__(self, leaks: bool = True) -> None:
        self.leaks = leaks
        ports = {"i": In(stream.Signature(4)), "o": Out(stream.Signature(4)), "mode": In(1)}
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.memory = table = memory.Memory(shape=4, depth=4, init=range(4))
        port = table.read_port(domain="comb")
        write = table.write_port()
        m.d.comb += [write.en.eq(self.o.ready), write.data.eq(self.i.payload)]
        kept = Signal()
        m.d.sync += kept.eq(self.o.ready)
        m.d.comb += [
            port.addr.eq((self.o.ready if self.leaks else kept) + self.i.payload),
            self.o.payload.eq(port.data),
            self.o.valid.eq(Mux(self.mode, self.i.valid & (self.o.ready if self.leaks else kept), 0)),
            self.i.ready.eq(self.o.ready),
        ]
        return m


def test_paths_from_ready_to_valid_are_found() -> None:
    assert ready_paths(Leaky()) == [("o_ready", "o_valid"), ("o_ready", "o_payload")]
    assert ready_paths(Leaky(leaks=False)) == []
    with pytest.raises(AccelsimError) as caught:
        check_ready_paths(Leaky())
    assert str(caught.value) == "o_valid: depends on o_ready without a register between them"


# The prover: it must not prove what it did not see.


def claim(*pairs: tuple[str, str]) -> Properties:
    """Claims by kind and name, about a skid buffer that is never both full and empty."""

    def properties(claims: Claims, block: Any) -> None:
        for kind, name in pairs:
            getattr(claims, kind)(name, ~(block.full & ~block.o.valid))

    return properties


@pytest.mark.parametrize(
    ("properties", "mode", "message"),
    [
        (claim(("given", "a")), "induction", "a proof must claim something: there is no assertion"),
        (claim(("always", "a")), "cover", "a proof must claim something: there is no cover"),
        (claim(("always", "a"), ("reached", "a")), "bounded", 'claim "a": is there twice'),
        (claim(("always", "A b")), "bounded", 'claim: must be lower-case letters, digits and _, got "A b"'),
        (
            claim(("always", "a")),
            "forever",
            'mode of a proof: must be one of bounded, cover, induction, got "forever"; did you mean "cover"?',
        ),
    ],
)
def test_empty_or_unclear_claims_are_refused(properties: Properties, mode: Any, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        prove(SkidBuffer(2), properties, 3, mode)
    assert str(caught.value) == message


@pytest.mark.parametrize(("mode", "waves"), [("cover", None), ("bounded", Path("run.vcd"))])
def test_what_gates_cannot_show_is_refused(mode: Any, waves: Path | None) -> None:
    with pytest.raises(AccelsimError, match="has no waves and no covers"):
        prove(SkidBuffer(2), stream_rules, 3, mode, waves=waves, solver="bits")


@pytest.mark.slow
def test_a_claim_that_needs_more_to_be_proved_is_open() -> None:
    """True in every run, but not by induction alone: nothing says that the tail follows the head."""
    proof = prove(Fifo(SMALL, 3), stream_rules, 3)
    assert (proof.verdict, proof.broken) == ("open", ("o_keeps",))
    assert prove(Fifo(SMALL, 3), stream_rules, 3, solver="bits").verdict == "open"


def test_a_cover_out_of_reach_is_open() -> None:
    proof = prove(Fifo(SMALL, 16), together(stream_rules, fifo_claims), 5, "cover")
    assert (proof.verdict, proof.broken) == ("open", ("becomes_full",))


def test_a_solver_that_takes_too_long_has_failed() -> None:
    proof = prove(AddressGenerator(3, 32, 16), address_claims, 3, timeout_s=0.05)
    assert (proof.verdict, proof.holds) == ("timeout", False)


def test_frames_that_were_not_reached_are_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, verdict in (
        ("No output asserted in 3 frames. Resource limit reached (timeout 1 sec).", "timeout"),
        ("No output asserted in 4 frames.", "proved"),
        ('Output 0 of miter "m" was asserted in frame 2.', "refuted"),
    ):
        monkeypatch.setattr(sat, "_abc", lambda script, said=said: said)
        assert prove(SkidBuffer(2), stream_rules, 4, "bounded", solver="bits").verdict == verdict
    monkeypatch.setattr(sat, "_abc", lambda script: "** cmd error")
    with pytest.raises(AccelsimError, match="abc ended without a verdict"):
        prove(SkidBuffer(2), stream_rules, 4, "bounded", solver="bits")


def test_a_model_without_its_inputs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever makes an input a constant, or loses a claim, must not go unseen."""
    run = yosys.run_yosys
    monkeypatch.setattr(model, "SCRIPT", (*model.SCRIPT[:5], "connect -set i_valid 1'0", *model.SCRIPT[5:]))
    monkeypatch.setattr(model, "run_yosys", lambda *args: without(run(*args), "input i_valid"))
    with pytest.raises(AccelsimError, match=r"^model of a proof: inputs: lacks \['i_valid 1'\], has beyond them none$"):
        prove(SkidBuffer(2), stream_rules, 3)
    monkeypatch.undo()
    monkeypatch.setattr(model, "run_yosys", lambda *args: without(run(*args), "assert 0"))
    with pytest.raises(
        AccelsimError, match=r"^model of a proof: assertions: lacks \['o_keeps'\], has beyond them none$"
    ):
        prove(SkidBuffer(2), stream_rules, 3)


def without(made: dict[str, str], fact: str) -> dict[str, str]:
    """What Yosys made, less the line that states a fact."""
    return {
        name: "\n".join(line for line in text.splitlines() if f"; yosys-smt2-{fact}" not in line)
        for name, text in made.items()
    }
