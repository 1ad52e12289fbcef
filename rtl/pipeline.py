"""Registers of pipelines that stand still as a whole, and trees of operators with registers between their levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amaranth.hdl import Module, Signal, Value

from rtl.block import check_size

MOST_STAGES = 8


def wire(m: Module, name: str, value: Value) -> Signal:
    """A value with a name of its own, so that its logic is there once however often it is used."""
    signal = Signal(value.shape(), name=name)
    m.d.comb += signal.eq(value)
    return signal


def later(m: Module, name: str, stages: int, **values: Value) -> list[Value]:
    """The values, in order, so many registers later.

    The one called `present` says whether the others mean anything: a reset clears it, and leaves them as they are.
    """
    found = []
    for key, value in values.items():
        signal = wire(m, f"{name}_{key}", value)
        for stage in range(stages):
            register = Signal(value.shape(), name=f"{name}_{key}_{stage}", reset_less=key != "present")
            m.d.sync += register.eq(signal)
            signal = register
        found.append(signal)
    return found


def tree(
    m: Module, name: str, stages: int, values: Sequence[Value], operator: Callable[[Value, Value], Value]
) -> Value:
    """All values brought together pair by pair, with so many registers behind each of `levels` levels."""
    for level in range(levels(len(values))):
        pairs = zip(values[::2], values[1::2], strict=False)
        merged = [*(operator(*pair) for pair in pairs), *(values[-1:] if len(values) % 2 else ())]
        values = later(m, f"{name}{level}", stages, **{f"v{place}": value for place, value in enumerate(merged)})
    return values[0]


def levels(values: int) -> int:
    """Levels of a tree over so many values: log2, rounded up."""
    return (values - 1).bit_length()


def check_stages(stages: object) -> None:
    """Raise AccelsimError unless each field of a dataclass whose name ends in `_stages` is a number of registers."""
    for name, value in vars(stages).items():
        if name.endswith("_stages"):
            check_size(name, value, 0, MOST_STAGES)
