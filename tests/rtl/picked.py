"""Claims of which only some are made: a broken one is found sooner where it is alone."""

from __future__ import annotations

from amaranth.hdl import ResetSignal, Value
from amaranth.lib import wiring

from rtl.formal import Claims, Properties


class Picked(Claims):
    """Claims only what has `part` in its name, and assumes as much as `whole`."""

    def __init__(self, whole: Claims, part: str) -> None:
        super().__init__(whole.m)
        self.part = part
        self.asserted, self.assumed = whole.asserted, whole.assumed
        self.covered, self.chosen = whole.covered, whole.chosen

    def always(self, name: str, condition: Value) -> None:
        if self.part in name:
            super().always(name, condition)


def picked(part: str, properties: Properties) -> Properties:
    """Those claims that have `part` in their name."""

    def only(claims: Claims, block: wiring.Component) -> None:
        properties(Picked(claims, part), block)

    return only


def from_one_reset(claims: Claims, block: wiring.Component) -> None:
    """Runs without a reset but the first: the same ones begin again after each."""
    claims.given("no_reset", ~ResetSignal())
