"""A design: a hardware unit with parameters, from a configuration's name, from the command line, or from YAML."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accelsim.arch.model import Arch, Unit
from accelsim.errors import AccelsimError, nearest
from accelsim.hardware.catalog import find_unit
from accelsim.hardware.unit import HardwareUnit
from accelsim.yamlfile import Node

HASH_DIGITS = 8


@dataclass(frozen=True)
class Design:
    """`label` is the configuration's name, or a short hash of parameters that are no configuration."""

    unit: HardwareUnit
    label: str
    params: Any

    @property
    def name(self) -> str:
        """What its module and files are called: the same for the same parameters."""
        return f"accelsim_{self.unit.name}_{self.label}".replace("-", "_")

    @property
    def plain(self) -> Mapping[str, object]:
        """All parameters as plain values."""
        return self.unit.plain(self.params)


def design_of(unit: HardwareUnit, params: Any) -> Design:
    """The design with these parameters."""
    plain = dict(unit.plain(params))
    for label, known in {**unit.configurations, **unit.large}.items():
        if dict(unit.plain(known)) == plain:
            return Design(unit, label, params)
    text = json.dumps(plain, sort_keys=True, default=str)
    return Design(unit, hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS], params)


def all_designs(unit: HardwareUnit, *, large: bool = False) -> tuple[Design, ...]:
    """A design for each configuration of a unit, on demand also for those that take long."""
    configurations = {**unit.configurations, **(unit.large if large else {})}
    return tuple(Design(unit, label, params) for label, params in configurations.items())


def chosen_design(unit: HardwareUnit, configuration: str | None, changes: Mapping[str, Node]) -> Design:
    """A configuration, by default what the unit is without parameters, with some of them changed.

    Raises:
        AccelsimError: no such configuration, or parameters that are unknown or cannot be, with their place.
    """
    known = {**unit.configurations, **unit.large}
    if configuration is not None and configuration not in known:
        raise AccelsimError(f'{unit.name} has no configuration "{configuration}"{nearest(configuration, known)}')
    base = unit.plain(known[configuration]) if configuration else {}
    return design_of(unit, _read(unit, base, changes))


def _read(unit: HardwareUnit, base: Mapping[str, object], changes: Mapping[str, Node]) -> Any:
    """Parameters from plain values; an error about one gets the place where it was set."""
    try:
        return unit.read({**base, **{name: node.plain() for name, node in changes.items()}})
    except AccelsimError as error:
        node = changes.get(error.message.partition(":")[0].partition(" ")[0])
        raise AccelsimError(error.message, node.mark if node else None) from None


def arch_designs(arch: Arch) -> dict[str, Design]:
    """The design of every compute unit of an architecture that has an `rtl:` entry, by the compute unit's name.

    Raises:
        AccelsimError: none has one, or an entry names what is not there or contradicts the compute unit.
    """
    found = {name: _arch_design(unit, unit.rtl) for name, unit in arch.units.items() if unit.rtl is not None}
    if not found:
        wanted = next(iter(arch.units))
        raise AccelsimError(
            f"{arch.name}: no unit has an rtl entry; add to a unit what is to be generated, such as "
            f"units.{wanted}.rtl: {{unit: systolic}}"
        )
    return found


def _arch_design(compute: Unit, entry: Node) -> Design:
    entries = entry.mapping()
    try:
        unit = find_unit(entries["unit"].string())
    except AccelsimError as error:
        raise AccelsimError(f"{entry.path}.unit: {error.message}", entries["unit"].mark) from None
    changes = {name: node for name, node in entries.items() if name != "unit"}
    extents = _shared_extents(unit, compute, changes)
    try:
        return design_of(unit, _read(unit, extents, changes))
    except AccelsimError as error:
        raise AccelsimError(f"{entry.path}: {error.message}", error.mark or entry.mark) from None


def _shared_extents(unit: HardwareUnit, compute: Unit, changes: Mapping[str, Node]) -> dict[str, object]:
    """The extents (rows, cols, lanes) that both have; said twice they must agree, so that one number rules."""
    known = unit.plain(unit.read({}))
    shared = {name: extent for name, extent in compute.dims.items() if name in known}
    for name, extent in shared.items():
        if name in changes and changes[name].plain() != extent:
            raise changes[name].error(f"must be {extent}, as the unit has, or be left out, got {changes[name].shown()}")
    return dict(shared)
