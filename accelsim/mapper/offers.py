"""What may be mapped of a workload: for each function its cascades on offer, with values of their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from accelsim.arch import Arch
from accelsim.einsum.ast import Size
from accelsim.workload import Step, Workload, steps
from accelsim.workload.function import is_layer, read_function


@dataclass(frozen=True)
class Offer:
    """A cascade of a function with values of its parameters, for all steps of the workload that call the function.

    Attributes:
        given: parameters of the cascade that its mapping sets (`M0`), with their values.
        places: where each of the steps stands in the workload.
    """

    function: str
    cascade: str
    given: Mapping[str, int]
    steps: tuple[Step, ...]
    places: tuple[int, ...]

    @cached_property
    def different(self) -> tuple[Step, ...]:
        """The first step of each shape: steps of the same sizes and data types share a mapping."""
        found: list[Step] = []
        for step in self.steps:
            if not any(_alike(step, other) for other in found):
                found.append(step)
        return tuple(found)

    def which(self, step: Step) -> int:
        """The number of a step's shape in `different`."""
        return next(at for at, other in enumerate(self.different) if _alike(step, other))

    @property
    def title(self) -> str:
        """`attention-1pass M0=256`; the function alone where it has one form."""
        form = self.function if self.cascade == "default" else f"{self.function}-{self.cascade}"
        return " ".join([form, *(f"{name}={value}" for name, value in self.given.items())])


def _alike(a: Step, b: Step) -> bool:
    return (a.cascade_name, a.shapes, a.types) == (b.cascade_name, b.shapes, b.types)


def offers(arch: Arch, workload: Workload) -> tuple[tuple[Offer, ...], ...]:
    """For each function of a workload, in the order of its steps, every form in which it may run.

    A parameter of a cascade's own split is offered with the value that the workload gives it and with each extent of an
    array of the architecture that the rank fills. What `--set` gave is not varied.
    """
    known = _cascades(workload)
    found: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for at, step in enumerate(steps(workload)):
        names = dict.fromkeys(_built(workload, step.function, name)[at].cascade_name for name in known[step.function])
        found.setdefault((step.function, tuple(names)), []).append(at)
    return tuple(
        tuple(offer for name in names for offer in _offered(arch, workload, function, name, tuple(places)))
        for (function, names), places in found.items()
    )


def _cascades(workload: Workload) -> dict[str, tuple[str, ...]]:
    """Function to the forms that its document has; a function that a layer writes out has one."""
    document = workload.resolved
    documents = workload.uses.values() if is_layer(document) else (document,)
    written = {step.function: (step.cascade_name,) for step in steps(workload)}
    return {**written, **{f.name: tuple(f.forms) for f in map(read_function, documents)}}


def _built(workload: Workload, function: str, cascade: str, given: Mapping[str, int] | None = None) -> tuple[Step, ...]:
    """All steps, those of one function in a form; what the workload itself fixes stays as it is."""
    return steps(
        workload,
        lambda name: cascade if name == function else None,
        lambda name: (given or {}) if name == function else {},
    )


def _offered(arch: Arch, workload: Workload, function: str, cascade: str, places: tuple[int, ...]) -> Iterator[Offer]:
    """A cascade with every combination of values of its parameters, each once."""
    plain = _built(workload, function, cascade)
    values = [_values(arch, plain[at]) for at in places]
    names = tuple(values[0])
    options = [dict.fromkeys(n for table in values for n in table[name]) for name in names]
    seen: list[dict[str, int]] = []
    for chosen in product(*options):
        built = _built(workload, function, cascade, dict(zip(names, chosen, strict=True)))
        given = {name: built[places[0]].shapes.params[name] for name in names}
        if given not in seen:
            seen.append(given)
            yield Offer(function, cascade, given, tuple(built[at] for at in places), places)


def _values(arch: Arch, step: Step) -> dict[str, list[int]]:
    """Parameter of a cascade's split to the values worth trying; the workload's own first."""
    extents = sorted({extent for unit in arch.units.values() for extent in unit.dims.values()})
    found = {}
    for split in step.shapes.cascade.splits.values():
        if isinstance(split.step, Size) and split.step.name in step.shapes.params:
            size = step.shapes.sizes[split.parent]
            own = step.shapes.params[split.step.name]
            found[split.step.name] = [own, *(n for n in extents if 1 < n <= size and n != own)]
    return found
