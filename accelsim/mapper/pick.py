"""Which assignment each Einsum of a group takes in a nest: combinations, and what they cost at least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import add, gt

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.columns import Columns
from accelsim.mapper.members import Choice, Members
from accelsim.mapper.nest import Nest, nests
from accelsim.mapper.prefix import Prefix, Prefixes


@dataclass(frozen=True, eq=False)
class Partial:
    """Assignments of the first Einsums in a nest.

    Attributes:
        energy_pj: of operators and registers, and the least that the tensors which no other Einsum touches can cost.
        port_seconds: the least that those tensors need of each port.
        held_bytes: the least that those tensors take of each level that can be full, at each moment.
        is_refined: whether the tensors that the last Einsum finishes are among them; there is a quick bound for them.
    """

    prefix: Prefix
    energy_pj: float
    port_seconds: tuple[float, ...]
    held_bytes: tuple[float, ...]
    is_refined: bool

    @property
    def least_pj(self) -> float:
        """Of the assignments made."""
        return self.energy_pj if self.is_refined else self.energy_pj + self.prefix.latest_pj

    def beats(self, other: Partial) -> bool:
        """Whether this is no worse, whatever the Einsums to come, tiles and keeping are; both have the same face."""
        mine, its = self.prefix, other.prefix
        return (
            all(a <= b for a, b in zip(mine.cycles, its.cycles, strict=True))
            and self.least_pj <= other.least_pj
            and mine.foreign <= its.foreign
            and all(
                pj <= b.fill_pj.get(tensor, 0.0)
                for a, b in zip(mine.picked, its.picked, strict=True)
                for tensor, pj in a.fill_pj.items()
            )
        )


@dataclass(frozen=True, eq=False)
class Regime:
    """Combinations of one kind: the nest, and which coordinates nobody spreads.

    A coordinate of what passes between Einsums is looped by all of them, or left to each.
    """

    prefixes: Prefixes
    nest: Nest

    @property
    def members(self) -> Members:
        return self.prefixes.members

    @property
    def einsums(self) -> tuple[Einsum, ...]:
        return self.members.einsums

    @property
    def choices(self) -> tuple[tuple[Choice, ...], ...]:
        """Of each Einsum; none where one has none."""
        return self.prefixes.choices

    def least(self, partial: Partial) -> tuple[float, float]:
        """Seconds and energy that every completion takes at least."""
        return max(partial.prefix.seconds, *partial.port_seconds), partial.least_pj + partial.prefix.rest_pj

    def empty(self) -> Partial:
        """Nothing assigned."""
        table = Columns.of(self.members.known.problem)
        return Partial(self.prefixes.empty, 0.0, (0.0,) * len(table.ports), (0.0,) * len(self.members.room), True)

    def wider(self, partial: Partial) -> Iterator[Partial]:
        """The combination with each option of the next Einsum."""
        for prefix in self.prefixes.wider(partial.prefix):
            energy = partial.energy_pj + prefix.picked[-1].energy_pj
            yield Partial(prefix, energy, partial.port_seconds, partial.held_bytes, False)

    def refined(self, partial: Partial) -> Partial | None:
        """The combination with what its latest tensors cost at least in this nest; None where they cannot be kept."""
        members, prefix = self.members, partial.prefix
        room, table = members.room, Columns.of(members.known.problem)
        caps, sums = len(room), [0.0] * (len(room) + 1 + len(table.ports))
        for parcel in members.finished[len(prefix.picked) - 1]:
            least = members.least(self.nest, prefix.by_name, parcel)
            if not least:
                return None
            sums = list(map(add, sums, least))
        held = tuple(map(add, partial.held_bytes, sums[:caps]))
        if any(map(gt, held, room)):
            return None
        ports = tuple(map(add, partial.port_seconds, sums[caps + 1 :]))
        return Partial(prefix, partial.energy_pj + sums[caps], ports, held, True)


def regimes(members: Members) -> Iterator[Regime]:
    """Every nest; batch coordinates are spread by all or by none."""
    every = [Prefixes(members, alone | members.steady) for alone in dict.fromkeys((members.batch, frozenset[str]()))]
    for nest in nests(members.known.problem, members.einsums):
        for prefixes in every:
            yield Regime(prefixes, nest)
