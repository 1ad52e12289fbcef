"""Three means of ratios, always quoted by name: arithmetic, geometric and equal-work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = ("arithmetic", "geometric", "equal-work")


@dataclass(frozen=True)
class Means:
    """The means of `count` ratios a/b: sum(a/b)/n, the n-th root of their product, and sum(a)/sum(b)."""

    arithmetic: float
    geometric: float
    equal_work: float
    count: int

    def of_kind(self, kind: str) -> float:
        """The mean that one of `KINDS` names."""
        return {"arithmetic": self.arithmetic, "geometric": self.geometric, "equal-work": self.equal_work}[kind]


def means(pairs: Sequence[tuple[float, float]]) -> Means | None:
    """The means of the ratios of positive pairs (a, b); None for none.

    Equal-work weighs every point by what it costs: total time of one design over total time of the other.

    >>> means([(2.0, 1.0), (8.0, 1.0)])
    Means(arithmetic=5.0, geometric=4.0, equal_work=5.0, count=2)
    """
    if not pairs:
        return None
    ratios = [a / b for a, b in pairs]
    arithmetic = math.fsum(ratios) / len(ratios)
    geometric = math.exp(math.fsum(math.log(ratio) for ratio in ratios) / len(ratios))
    equal_work = math.fsum(a for a, _ in pairs) / math.fsum(b for _, b in pairs)
    return Means(arithmetic, geometric, equal_work, len(ratios))
