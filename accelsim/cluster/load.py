"""YAML to a system, every number checked at its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from accelsim.cluster.model import (
    Commands,
    Energies,
    Fit,
    Link,
    Near,
    Policy,
    Processor,
    System,
)
from accelsim.document import resolved_document
from accelsim.errors import AccelsimError
from accelsim.memory.pim import load_stack
from accelsim.units.roofline import Roofline, Tiling
from accelsim.yamlfile import Node

SYSTEMS = "clusters"
REQUIRED = ("schema", "name", "description", "source", "devices", "nodes", "processor", "link", "near", "policy")
NEAR = ("bandwidth", "flops_per_byte", "efficiency", "spaces", "rereads", "capacity", "link", "commands", "energy")
PLACES = {
    "projection": ("processor", "near", "fastest", "shared"),
    "attention": ("processor", "near", "fastest"),
    "ffn": ("processor", "near", "fastest", "shared"),
    "experts": ("processor", "near", "fastest", "shared", "greedy"),
}
MOST_DEVICES, MOST_SPACES = 4096, 12


def load_system(name: str, overrides: Sequence[str] = ()) -> System:
    """A system, by path or shipped name, with `path=value` texts applied.

    Raises:
        AccelsimError: an unknown name, a number that is missing or not allowed, a policy for units that are not there.
    """
    return read_system(load_document(name, overrides))


def load_document(name: str, overrides: Sequence[str] = ()) -> Node:
    """The file of a system, its base followed and `path=value` texts applied."""
    return resolved_document(name, SYSTEMS, "cluster", "cluster", overrides)


def read_system(document: Node) -> System:
    """The system of a resolved document. Raises AccelsimError as `load_system` does."""
    entries = document.fields(REQUIRED)
    processor = _processor(entries["processor"])
    near = None if entries["near"].value is None else _near(entries["near"], processor)
    return System(
        name=entries["name"].name(),
        source=" ".join(entries["source"].string().split()),
        devices=_count(entries["devices"], MOST_DEVICES),
        nodes=_count(entries["nodes"], MOST_DEVICES),
        processor=processor,
        link=_link(entries["link"]),
        near=near,
        policy=_policy(entries["policy"], near),
    )


def _processor(node: Node) -> Processor:
    fields = node.fields(("peak", "element", "bandwidth", "capacity", "efficiency", "tiling", "fits", "energy"))
    efficiency = fields["efficiency"].fields(("compute", "bandwidth"))
    roofline = Roofline(
        flops_per_s=_positive(fields["peak"], "flop/s"),
        bytes_per_s=_positive(fields["bandwidth"], "B/s"),
        compute_efficiency=_fraction(efficiency["compute"]),
        bandwidth_efficiency=_fraction(efficiency["bandwidth"]),
        element_bytes=_whole_bytes(fields["element"]),
        tiling=None if fields["tiling"].value is None else _tiling(fields["tiling"]),
    )
    fits = {name: _fit(entry) for name, entry in fields["fits"].mapping().items()}
    return Processor(roofline, _positive(fields["capacity"], "B"), fits, _energies(fields["energy"]))


def _tiling(node: Node) -> Tiling:
    fields = node.fields(("sides", "cores", "core_cache", "shared_cache", "waves", "register_side"))
    sides = tuple(side.positive_integer() for side in fields["sides"].sequence())
    if not sides or list(sides) != sorted(set(sides)):
        raise fields["sides"].expected("sides of tiles, ascending")
    waves = fields["waves"].names()
    if not set(waves) <= {"compute", "bandwidth"}:
        raise fields["waves"].expected("a list of compute and bandwidth, or of one, or of none")
    return Tiling(
        sides=sides,
        cores=fields["cores"].positive_integer(),
        core_bytes=_whole_bytes(fields["core_cache"]),
        shared_bytes=_whole_bytes(fields["shared_cache"]),
        waves=waves,
        register_side=fields["register_side"].positive_integer(),
    )


def _fit(node: Node) -> Fit:
    fields = node.fields(("latency", "time_per_byte"))
    return Fit(float(fields["latency"].quantity("s")), float(fields["time_per_byte"].quantity("s/B")))


def _energies(node: Node) -> Energies:
    fields = node.fields(("memory", "shared_cache", "core_cache", "register", "flop"))
    return Energies(
        memory=float(fields["memory"].quantity("pJ/B")),
        shared=_known(fields["shared_cache"], "pJ/B"),
        core=_known(fields["core_cache"], "pJ/B"),
        register=_known(fields["register"], "pJ/mac"),
        flop=float(fields["flop"].quantity("pJ/flop")),
    )


def _link(node: Node) -> Link:
    fields = node.fields(("bandwidth", "latency", "rounds", "energy"))
    return Link(
        bytes_per_s=_positive(fields["bandwidth"], "B/s"),
        latency_s=float(fields["latency"].quantity("s")),
        rounds=fields["rounds"].positive_integer(),
        energy=_known(fields["energy"], "pJ/B"),
    )


def _near(node: Node, processor: Processor) -> Near:
    fields = node.fields(NEAR)
    bandwidth = _positive(fields["bandwidth"], "B/s")
    efficiency = _fraction(fields["efficiency"])
    energy = fields["energy"].fields(("memory", "flop"))
    per_byte = float(fields["flops_per_byte"].number())
    if per_byte <= 0:
        raise fields["flops_per_byte"].expected("a number more than 0")
    size = processor.roofline.element_bytes
    roofline = Roofline(bandwidth * per_byte, bandwidth, efficiency, efficiency, size, None)
    return Near(
        roofline=roofline,
        commands=None if fields["commands"].value is None else _commands(fields["commands"]),
        capacity_bytes=float(fields["capacity"].quantity("B")),
        link_bytes_per_s=None if fields["link"].value is None else _positive(fields["link"], "B/s"),
        spaces=_count(fields["spaces"], MOST_SPACES),
        rereads=fields["rereads"].boolean(),
        memory_energy=float(energy["memory"].quantity("pJ/B")),
        flop_energy=float(energy["flop"].quantity("pJ/flop")),
    )


def _commands(node: Node) -> Commands:
    fields = node.fields(("stack", "level", "rules", "power_limit", "stacks"))
    name, level, rules = (fields[key].string() for key in ("stack", "level", "rules"))
    try:
        stack = load_stack(name, level, rules, power_limit=fields["power_limit"].boolean())
    except AccelsimError as error:
        raise error if error.mark else fields["stack"].error(error.message) from None
    return Commands(stack, fields["stacks"].positive_integer())


def _policy(node: Node, near: Near | None) -> Policy:
    fields = node.fields(
        ("place", "overlap", "prompts", "experts", "expert_reduces", "table_efficiency", "shared_energy")
    )
    place = {name: _place(name, entry, near) for name, entry in fields["place"].fields((), tuple(PLACES)).items()}
    return Policy(
        place=place,
        overlap=_overlap(fields["overlap"], place),
        prompts=_prompts(fields["prompts"], fields["overlap"]),
        experts=_word(fields["experts"], ("whole", "split")),
        expert_reduces=_not_negative(fields["expert_reduces"]),
        table_efficiency=_fraction(fields["table_efficiency"]),
        shared_energy=_word(fields["shared_energy"], ("each", "processor")),
    )


def _place(name: str, node: Node, near: Near | None) -> str:
    place = _word(node, PLACES[name])
    if near is None and place != "processor":
        raise node.expected("processor, since there are no units near the memory")
    return place


def _overlap(node: Node, place: Mapping[str, str]) -> str:
    """Work overlaps only on different units."""
    overlap = _word(node, ("none", "heads"))
    apart = place.get("attention") == "near" and place.get("projection", "processor") == "processor"
    if overlap == "heads" and not apart:
        raise node.expected("none where attention is not near or projection is not on the processor")
    return overlap


def _prompts(node: Node, overlap: Node) -> str:
    """The processor works on projections beside attention, or on prompts."""
    prompts = _word(node, ("after", "beside"))
    if (prompts, overlap.value) == ("beside", "heads"):
        raise node.expected("after where overlap is heads")
    return prompts


def _word(node: Node, words: tuple[str, ...]) -> str:
    if node.value not in words:
        raise node.expected(f"one of {', '.join(words)}")
    return node.string()


def _count(node: Node, most: int) -> int:
    value = node.positive_integer()
    if value > most:
        raise node.expected(f"at most {most}")
    return value


def _not_negative(node: Node) -> int:
    value = node.integer()
    if value < 0:
        raise node.expected("0 or more")
    return value


def _whole_bytes(node: Node) -> int:
    value = node.quantity("B")
    if value < 1 or value.denominator != 1:
        raise node.expected("a whole number of bytes")
    return int(value)


def _positive(node: Node, unit: str) -> float:
    value = float(node.quantity(unit))
    if value <= 0:
        raise node.expected("more than 0")
    return value


def _known(node: Node, unit: str) -> float | None:
    return None if node.value is None else float(node.quantity(unit))


def _fraction(node: Node) -> float:
    value = float(node.number())
    if not 0 < value <= 1:
        raise node.expected("a number above 0 and up to 1")
    return value
