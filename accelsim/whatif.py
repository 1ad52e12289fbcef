"""The two questions an architect asks first: what twice or half of each resource does, how much buffer is enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from accelsim.arch import Arch, load_arch
from accelsim.arch.model import DIMENSIONS
from accelsim.einsum.passes import footprints
from accelsim.errors import AccelsimError
from accelsim.mapping import Mapping, load_mapping
from accelsim.mapping.load import mappings_of
from accelsim.result import Result
from accelsim.route import Names, names_of, route
from accelsim.simulate import load_named, simulate
from accelsim.workload import Workload, load_workload, steps

FACTORS = (Fraction(2), Fraction(1, 2))
SMALLEST, LARGEST = 1 << 12, 1 << 30


@dataclass(frozen=True)
class Change:
    """One resource times a factor, against the unchanged design; ratios are None where they are unknown.

    Attributes:
        speedup: unchanged seconds over changed seconds.
        energy_ratio, area_ratio: changed over unchanged.
        note: what does not change with it, or why it cannot be done.
    """

    resource: str
    factor: Fraction
    speedup: Fraction | None
    energy_ratio: Fraction | None
    area_ratio: Fraction | None
    note: str


@dataclass(frozen=True)
class SkiSlope:
    """Least off-chip bytes of the mappings tried against the capacity of a level.

    Attributes:
        points: (capacity in bytes, bytes moved, mapping that moves them), capacities rising.
        floor_bytes: compulsory bytes.
        footprints: (what, bytes) that the passes of the cascades keep alive at least.
    """

    level: str
    capacity_bytes: Fraction | None
    points: tuple[tuple[int, Fraction, str], ...]
    floor_bytes: Fraction
    footprints: tuple[tuple[str, Fraction], ...]


def what_if(
    arch: str, workload: str, overrides: Sequence[str] = (), mapping: Names = None, depth: str = "analytic"
) -> list[Change]:
    """Every resource of the architecture doubled and halved, the mapping adapting as it says (`fit`, `rows(..)`)."""
    said = route(arch, workload, mapping, overrides)
    loaded_arch, loaded_workload, mappings = load_named(arch, workload, overrides, mapping)
    base = simulate(loaded_arch, loaded_workload, mappings, depth)
    changes = []
    for resource, values in _resources(loaded_arch):
        for factor in FACTORS:
            texts = (f"{path}={_scaled(value, factor)}" for path, value in values.items())
            changes.append(
                _change(resource, factor, base, (arch, (*said.arch, *texts)), loaded_workload, (mappings, depth))
            )
    return changes


def _resources(arch: Arch) -> Iterator[tuple[str, dict[str, tuple[Fraction, str]]]]:
    """Name, and by path the value with unit, of everything that can be scaled; bandwidth of a DRAM are its channels."""
    yield "clock", {"clock": (arch.clock_hz, "Hz")}
    for level in arch.levels:
        at = f"levels.{level.name}"
        for port in level.ports:
            values = {f"{at}.bandwidth{port.name.removeprefix(level.name)}": (port.bytes_per_s, "B/s")}
            channels = {f"{at}.dram.channels": (Fraction(level.dram.channels), "")} if level.dram else {}
            yield f"{port.name} {'channels' if level.dram else 'bandwidth'}", values | channels
        if level.capacity_bytes is not None:
            yield f"{level.name} capacity", {f"{at}.capacity": (level.capacity_bytes, "B")}
    for unit in arch.units.values():
        for dim in DIMENSIONS:
            if dim in unit.dims:
                yield f"{unit.name} {dim}", {f"units.{unit.name}.{dim}": (Fraction(unit.dims[dim]), "")}


def _scaled(value: tuple[Fraction, str], factor: Fraction) -> str:
    amount, unit = value[0] * factor, value[1]
    if not unit:
        return str(max(1, int(amount)))
    whole = amount.numerator if amount.denominator == 1 else float(amount)
    return f"{whole} {unit}"


def _change(
    resource: str,
    factor: Fraction,
    base: Result,
    changed: tuple[str, Sequence[str]],
    workload: Workload,
    run: tuple[tuple[Mapping, ...], str],
) -> Change:
    try:
        result = simulate(load_arch(*changed), workload, *run)
    except AccelsimError as error:
        return Change(resource, factor, None, None, None, str(error))
    note = "its energy per access and area are left as they are" if resource.endswith("capacity") else ""
    return Change(
        resource,
        factor,
        base.seconds / result.seconds,
        _ratio(result.energy_pj, base.energy_pj),
        _ratio(_area(result), _area(base)),
        note,
    )


def _area(result: Result) -> Fraction | None:
    return None if result.area_um2 is None else sum(result.area_um2.values(), Fraction(0))


def _ratio(changed: Fraction | None, base: Fraction | None) -> Fraction | None:
    return changed / base if changed is not None and base else None


def ski_slope(arch: str, workload: str, overrides: Sequence[str] = (), mapping: Names = None) -> SkiSlope:
    """Least off-chip traffic that mappings of the workload's function reach for each size of the buffer.

    Args:
        mapping: the only one that is tried, or the only ones; None: every one that is shipped.

    Raises:
        AccelsimError: a workload of several steps, an architecture without a level on chip, or no mapping that fits.
    """
    said = route(arch, workload, mapping, overrides)
    loaded = load_arch(arch, said.arch)
    if len(loaded.levels) < 2:
        raise AccelsimError(f"{arch} has no level on chip whose size could vary")
    level = loaded.levels[1]
    found = load_workload(workload, said.workload)
    built = steps(found)
    if len(built) != 1:
        raise AccelsimError(f"{workload} has {len(built)} steps; a ski slope is drawn of one function")
    own = tuple(load_mapping(name, said.mapping) for name in names_of(mapping))
    candidates = own or mappings_of(built[0].function, found.cascade)
    points: list[tuple[int, Fraction, str]] = []
    for capacity in _sizes():
        sized = load_arch(arch, (*said.arch, f"levels.{level.name}.capacity={capacity} B"))
        points += _least(sized, found, candidates, capacity, points[-1:])
    if not points:
        raise AccelsimError(f"no mapping of {built[0].function} fits {arch} with up to {LARGEST} bytes")
    floor = simulate(loaded, found, None, "bound").level_bytes(loaded.off_chip.name)
    return SkiSlope(level.name, level.capacity_bytes, tuple(points), floor, _live(found))


def _sizes() -> Iterator[int]:
    size = SMALLEST
    while size <= LARGEST:
        yield size
        size *= 2


def _least(
    arch: Arch,
    workload: Workload,
    candidates: Sequence[Mapping],
    capacity: int,
    before: Sequence[tuple[int, Fraction, str]],
) -> list[tuple[int, Fraction, str]]:
    """The best of the mappings that fit, and of what a smaller buffer already reached."""
    found = [(moved, name) for _, moved, name in before]
    for mapping in candidates:
        try:
            result = simulate(arch, workload, mapping)
        except AccelsimError:
            continue
        found.append((result.level_bytes(arch.off_chip.name), mapping.name))
    return [(capacity, *min(found))] if found else []


def _live(workload: Workload) -> tuple[tuple[str, Fraction], ...]:
    """Bytes of the longest fiber that each cascade on offer keeps alive between passes."""
    found = []
    for name in workload.cascades:
        fixed = steps(workload, partial(_always, name))[0]
        if fixed.cascade_name != name:
            continue
        fibers = [
            (count * fixed.types[tensor].bytes, rank, tensor)
            for rank, table in footprints(fixed.shapes).items()
            for tensor, count in table.items()
        ]
        if fibers:
            size, rank, tensor = max(fibers)
            found.append((f"{name}: {tensor} along {rank}", Fraction(size)))
    return tuple(found)


def _always(name: str, function: str) -> str:
    """The cascade of that name, whatever the function."""
    return name
