"""A check: our number beside a published one, with the error that we allow and why."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes:
        name: `group/design/model/tokens`; checks of one group and quantity are summed up in one line.
        published: what we compare with, never 0.
        tolerance: the largest relative error that passes; `note` says why it is what it is.
    """

    name: str
    quantity: str
    ours: float
    published: float
    tolerance: float
    note: str

    @property
    def group(self) -> str:
        return self.name.partition("/")[0]

    @property
    def error(self) -> float:
        """Ours over published, less 1."""
        return self.ours / self.published - 1

    @property
    def passed(self) -> bool:
        return abs(self.error) <= self.tolerance

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "quantity": self.quantity,
            "ours": self.ours,
            "published": self.published,
            "error": self.error,
            "tolerance": self.tolerance,
            "passed": self.passed,
            "note": self.note,
        }


@dataclass(frozen=True)
class Allowance:
    """The largest relative error that is allowed, and why."""

    error: float
    because: str


EXACTLY = Allowance(1e-9, "the same rule: what double precision leaves")


def compare(name: str, quantity: str, ours: Fraction | float, published: str, allowed: Allowance = EXACTLY) -> Check:
    """A check against a number that is published in full."""
    return Check(name, quantity, float(ours), float(published), allowed.error, allowed.because)


def compare_digits(name: str, quantity: str, ours: Fraction | float, published: str, allowed: Allowance) -> Check:
    """A check against a rounded number: half of its last digit is allowed besides."""
    return Check(name, quantity, float(ours), float(published), allowed.error + half_digit(published), allowed.because)


def half_digit(text: str) -> float:
    """The relative error that a rounded number hides: half of its last digit.

    >>> half_digit("6.7")
    0.007462686567164179
    """
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) / abs(float(text))
