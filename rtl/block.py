"""`Block`, the base of every piece of hardware, and the checks of its parameters."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Elaboratable, Shape, ShapeLike
from amaranth.lib import wiring

from accelsim.errors import AccelsimError, nearest

WIDEST_PAYLOAD = 1 << 16

# Amaranth warns of designs that are made and not used. Here they are refused, or only looked at, on purpose.
Elaboratable._MustUse__silence = True


class Block(wiring.Component):
    """A component whose parameters are checked, with AccelsimError, before its signature is made."""


def check_size(name: str, value: object, low: int = 1, high: int = 1 << 16) -> None:
    """Raise AccelsimError unless `value` is an integer from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise AccelsimError(f'{name}: must be an integer from {low} to {high}, got "{value}"')


def check_choice(name: str, value: str, known: Iterable[str]) -> None:
    """Raise AccelsimError unless `value` is one of the known words."""
    words = sorted(known)
    if value not in words:
        raise AccelsimError(f'{name}: must be one of {", ".join(words)}, got "{value}"{nearest(value, words)}')


def check_payload(name: str, shape: ShapeLike, narrowest: int = 0) -> None:
    """Raise AccelsimError unless `shape` is something that a stream can carry, of at least `narrowest` bits."""
    try:
        width = Shape.cast(shape).width
    except TypeError:
        raise AccelsimError(f'{name}: must be a shape, got "{shape}"') from None
    check_size(f"bits of the {name}", width, narrowest, WIDEST_PAYLOAD)
