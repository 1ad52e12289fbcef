"""Claims that hold for every block: the rules of streams, and that it goes on when its neighbours let it."""

from __future__ import annotations

from amaranth.hdl import Signal, Value
from amaranth.lib import wiring

from rtl.formal.claims import Claims, Properties
from rtl.ports import interface_of


def stream_of(component: wiring.Component, name: str) -> tuple[Value, Value, Value]:
    """Valid, ready and payload of the stream called `name` in Verilog."""
    found = {"_".join(map(str, path)): Value.cast(value) for path, _, value in component.signature.flatten(component)}
    return found[f"{name}_valid"], found[f"{name}_ready"], found[f"{name}_payload"]


def stream_rules(claims: Claims, component: wiring.Component) -> None:
    """Once valid, a stream stays so with the same payload until it has moved: assumed of inputs, claimed of outputs.

    Covers: every stream moves, and every output waits.
    """
    for port in interface_of(component).streams:
        valid, ready, payload = stream_of(component, port.name)
        waits = claims.past(valid & ~ready)
        keeps = ~waits | (valid & (payload == claims.past(payload)))
        if port.direction == "input":
            claims.given(f"{port.name}_keeps", keeps)
        else:
            claims.always(f"{port.name}_keeps", keeps)
            claims.reached(f"{port.name}_waits", waits)
        claims.reached(f"{port.name}_moves", valid & ready)


def goes_on(within: int) -> Properties:
    """With every input valid and every output ready, each stream moves at least once in `within` edges.

    For bounded proofs, deeper than `within`. Pins stay free.
    """

    def properties(claims: Claims, component: wiring.Component) -> None:
        for port in interface_of(component).streams:
            valid, ready, _ = stream_of(component, port.name)
            claims.given(f"{port.name}_is_willing", valid if port.direction == "input" else ready)
            idle = Signal(range(within + 1), name=f"{port.name}_idle")
            with claims.m.If(valid & ready):
                claims.m.d.sync += idle.eq(0)
            with claims.m.Elif(idle != within):
                claims.m.d.sync += idle.eq(idle + 1)
            claims.always(f"{port.name}_goes_on", idle != within)
            claims.reached(f"{port.name}_moves", valid & ready)

    return properties
