"""YAML to a DRAM: a standard's table with one of its organisations and timings, every number checked at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import ceil

from accelsim.document import resolved_document
from accelsim.errors import AccelsimError, nearest
from accelsim.memory.addresses import read_map
from accelsim.memory.expression import evaluate
from accelsim.memory.model import SCOPES, TABLED, Command, Constraint, Device, Energy, Organisation, Refresh
from accelsim.yamlfile import Node

KIND = "arch_configs/dram"
REQUIRED = (
    *("schema", "name", "description", "source", "ticks_per_clock", "buses", "commands", "burst", "latency", "refresh"),
    *("constraints", "address_map", "organisations", "timings", "energy"),
)
PARTS = ("channels", "pseudo_channels", "ranks", "bank_groups", "banks", "rows", "columns")
GRADE = ("rate", "clock_period")
CLASSES = ("published", "measured", "derived", "guess")
OPTIONAL_COMMANDS = ("REFpb",)
SLACK = Fraction(1, 100)  # clock periods are written in whole picoseconds
MOST_BANKS, MOST_ROWS = 4096, 1 << 31

Clocks = Callable[[str, Node], int]
"""The clocks of a timing parameter; raises for an unknown one at the node that asks for it."""


def load_device(name: str, organisation: str | None, timing: str | None, overrides: Sequence[str] = ()) -> Device:
    """A standard, by path or shipped name, with an organisation and a timing of its file.

    Args:
        organisation, timing: may be None where the file has one only.
        overrides: `path=value` texts applied to the file.

    Raises:
        AccelsimError: an unknown name, a missing or unknown parameter, numbers that contradict each other.
    """
    return read_device(load_document(name, overrides), organisation, timing)


def load_document(name: str, overrides: Sequence[str] = ()) -> Node:
    """The file of a standard, its base followed and `path=value` texts applied."""
    return resolved_document(name, KIND, "dram", "DRAM standard", overrides)


def read_all(document: Node) -> list[Device]:
    """Every organisation of a file with every timing."""
    entries = document.fields(REQUIRED, ("notes",))
    return [
        read_device(document, organisation, timing)
        for organisation in entries["organisations"].mapping()
        for timing in entries["timings"].mapping()
    ]


def read_device(document: Node, organisation: str | None, timing: str | None) -> Device:
    """The device of a resolved document. Raises AccelsimError as `load_device` does."""
    entries = document.fields(REQUIRED, ("notes",))
    shape_name, shape = _chosen(entries["organisations"], organisation, "organisation")
    grade_name, grade = _chosen(entries["timings"], timing, "timing")
    burst = entries["burst"].fields(("beats", "clocks"))
    beats = burst["beats"].positive_integer()
    organised = _organisation(shape_name, shape, beats)
    parameters = _Parameters(shape, grade)
    per_clock = entries["ticks_per_clock"].positive_integer()
    ticks = partial(_ticks, per_clock, parameters.clocks)
    buses = entries["buses"].names()
    refresh = entries["refresh"].fields(("scope", "interval", "per_bank"))
    commands = _commands(entries["commands"], buses, per_clock)
    latency = entries["latency"].fields(("read", "write"))
    device = Device(
        standard=entries["name"].name(),
        organisation=organised,
        timing=grade_name,
        tick_ps=parameters.period_ps / per_clock,
        buses=buses,
        commands=commands,
        constraints=tuple(_constraints(entries["constraints"], commands, refresh["scope"], ticks)),
        burst_ticks=_positive(burst["clocks"], ticks),
        read_ticks=_positive(latency["read"], ticks),
        write_ticks=_positive(latency["write"], ticks),
        refresh=_refresh(entries["refresh"], commands, ticks),
        address_map=read_map(entries["address_map"], organised),
        energy=_energy(entries["energy"], shape_name, tuple(entries["organisations"].mapping())),
        source=" ".join(entries["source"].string().split()),
    )
    parameters.refuse_unused()
    _check_rate(device, grade.mapping()["rate"], beats, per_clock)
    return device


def _chosen(node: Node, name: str | None, noun: str) -> tuple[str, Node]:
    known = node.mapping()
    if name is None and len(known) == 1:
        name = next(iter(known))
    if name is None:
        raise node.error(f"has several: say which {noun}{nearest('', known)}")
    if name not in known:
        raise node.error(f'no {noun} named "{name}"{nearest(name, known)}')
    return name, known[name]


class _Parameters:
    """The timing parameters of a grade and an organisation in clocks, and which of them were asked for."""

    def __init__(self, shape: Node, grade: Node) -> None:
        said, own = grade.mapping(), shape.mapping()["timing"].mapping()
        for key in GRADE:
            if key not in said:
                raise grade.error(f'missing key "{key}"')
        self.period_ps = said["clock_period"].quantity("ps")
        if self.period_ps == 0:
            raise said["clock_period"].expected("more than 0")
        twice = sorted(set(own) & set(said))
        if twice:
            raise own[twice[0]].error(f"{twice[0]} is given by {grade.path} too")
        self.grade = grade
        self.known = {**{key: node for key, node in said.items() if key not in GRADE}, **own}
        self.device = shape.mapping()["device"].name()
        self.used: set[str] = set()

    def clocks(self, name: str, asked: Node) -> int:
        if name not in self.known:
            where = self.grade.path
            raise asked.error(f'timing parameter "{name}" is missing from {where}{nearest(name, self.known)}')
        self.used.add(name)
        return self._value(self.known[name])

    def _value(self, node: Node) -> int:
        if isinstance(node.value, dict):  # it depends on the width of the device
            if self.device not in node.value:
                raise node.error(f'nothing is said for devices "{self.device}"{nearest(self.device, node.value)}')
            return self._value(node.value[self.device])
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            if node.value < 0:
                raise node.expected("not negative")
            return node.value
        if isinstance(node.value, str):
            return ceil(node.quantity("ps") / self.period_ps)
        raise node.expected('clocks as an integer, or a time such as "14 ns"')

    def refuse_unused(self) -> None:
        for name, node in self.known.items():
            if name not in self.used:
                mark = node.key_mark or node.mark
                raise AccelsimError(f"{node.path}: nothing asks for it{nearest(name, self.used)}", mark)


def _ticks(per_clock: int, clocks: Clocks, node: Node) -> int:
    return evaluate(node, clocks) * per_clock


def _positive(node: Node, ticks: Callable[[Node], int]) -> int:
    value = ticks(node)
    if value <= 0:
        raise node.error(f'"{node.text}" is {value}; it must be more than 0')
    return value


def _organisation(name: str, node: Node, beats: int) -> Organisation:
    entries = node.fields(("device", *PARTS, "width", "timing"))
    sizes = {key: entries[key].positive_integer() for key in PARTS}
    banks = sizes["pseudo_channels"] * sizes["ranks"] * sizes["bank_groups"] * sizes["banks"]
    if banks > MOST_BANKS:
        raise node.error(f"a channel of {banks} banks; at most {MOST_BANKS} are supported")
    if sizes["rows"] > MOST_ROWS:
        raise entries["rows"].expected(f"at most {MOST_ROWS}")
    columns = sizes.pop("columns")
    if columns % beats:
        raise entries["columns"].error(f"{columns} columns are no whole number of bursts of {beats} beats")
    size = entries["width"].quantity("B") * beats
    if size.denominator != 1 or size == 0:
        raise entries["width"].error(f"a burst of {beats} beats must be whole bytes, not {float(size)}")
    return Organisation(name, **sizes, bursts=columns // beats, burst_bytes=int(size))


def _commands(node: Node, buses: tuple[str, ...], per_clock: int) -> Mapping[str, Command]:
    known = tuple(command for command in TABLED if command not in OPTIONAL_COMMANDS)
    return {name: _command(entry, buses, per_clock) for name, entry in node.fields(known, OPTIONAL_COMMANDS).items()}


def _command(node: Node, buses: tuple[str, ...], per_clock: int) -> Command:
    entries = node.fields(("bus", "clocks", "edge"))
    bus, edge = entries["bus"].string(), entries["edge"].string()
    if bus not in buses:
        raise entries["bus"].error(f'no bus "{bus}"{nearest(bus, buses)}')
    if edge not in ("rising", "any"):
        raise entries["edge"].expected("rising or any")
    if edge == "rising" and per_clock != 2:
        raise entries["edge"].error("rising edges need ticks_per_clock: 2")
    ticks = entries["clocks"].number() * per_clock
    if ticks.denominator != 1 or ticks <= 0:
        raise entries["clocks"].error(f"{entries['clocks'].text} clocks are no whole number of ticks above 0")
    return Command(buses.index(bus), int(ticks), edge == "rising")


def _constraints(
    node: Node, commands: Mapping[str, Command], whole: Node, ticks: Callable[[Node], int]
) -> list[Constraint]:
    """Those that hold something up: a delay of 0 or less says nothing.

    Args:
        whole: the scope that PREA and REFab concern, which what follows them may not be narrower than.
    """
    found = [_constraint(entry, commands, ticks) for entry in node.sequence()]
    wide = SCOPES[: SCOPES.index(whole.string()) + 1] if whole.text in SCOPES else SCOPES
    for entry, constraint in zip(node.sequence(), found, strict=True):
        if constraint.scope not in wide and set(constraint.after) & {"PREA", "REFab"}:
            scope = entry.mapping()["scope"]
            raise scope.error(f"PREA and REFab concern a whole {whole.text}, not a {constraint.scope}")
    return [constraint for constraint in found if constraint.ticks > 0]


def _constraint(node: Node, commands: Mapping[str, Command], ticks: Callable[[Node], int]) -> Constraint:
    entries = node.fields(("scope", "after", "next", "delay"), ("window",))
    scope = entries["scope"].string()
    if scope not in SCOPES:
        raise entries["scope"].error(f'unknown scope "{scope}"{nearest(scope, SCOPES)}')
    window = entries["window"].positive_integer() if "window" in entries else 1
    if window > 1 and scope == "other_rank":
        raise entries["window"].error("counts commands of one part, and other ranks are several")
    return Constraint(
        scope=scope,
        after=tuple(_named(item, (*commands, "RDA", "WRA")) for item in entries["after"].sequence()),
        next=tuple(_named(item, tuple(commands)) for item in entries["next"].sequence()),
        ticks=ticks(entries["delay"]),
        window=window,
    )


def _named(node: Node, commands: tuple[str, ...]) -> str:
    name = node.string()
    if name not in commands:
        hint = "; RD and WR stand for RDA and WRA here" if name in ("RDA", "WRA") else nearest(name, commands)
        raise node.error(f'no command "{name}"{hint}')
    return name


def _refresh(node: Node, commands: Mapping[str, Command], ticks: Callable[[Node], int]) -> Refresh:
    entries = node.fields(("scope", "interval", "per_bank"))
    scope, per_bank = entries["scope"].string(), entries["per_bank"].boolean()
    if scope not in ("channel", "pseudo_channel", "rank"):
        raise entries["scope"].expected("channel, pseudo_channel or rank")
    if per_bank != ("REFpb" in commands):
        raise entries["per_bank"].error("a command REFpb and per_bank: true go together")
    return Refresh(scope, _positive(entries["interval"], ticks), per_bank)


def _energy(node: Node, organisation: str, organisations: tuple[str, ...]) -> Energy:
    commands = ("ACT", "RD", "WR", "REFab", "REFpb")
    entries = node.fields(("source", "class", "organisations", *commands, "open", "static"))
    if entries["class"].string() not in CLASSES:
        raise entries["class"].error(
            f'unknown class "{entries["class"].text}"{nearest(entries["class"].text, CLASSES)}'
        )
    for item in entries["organisations"].sequence():
        if item.name() not in organisations:
            raise item.error(f'no organisation named "{item.text}"{nearest(item.text, organisations)}')
    holds = organisation in entries["organisations"].names()
    return Energy(
        source=" ".join(entries["source"].string().split()),
        kind=entries["class"].string(),
        command_pj={name: _amount(entries[name], "pJ", holds) for name in commands},
        open_mw=_amount(entries["open"], "mW", holds),
        static_mw=_amount(entries["static"], "mW", holds),
    )


def _amount(node: Node, unit: str, holds: bool) -> Fraction | None:
    amount = None if node.value is None else node.quantity(unit)
    return amount if holds else None


def _check_rate(device: Device, rate: Node, beats: int, per_clock: int) -> None:
    """The beats of a burst at the data rate must last as long as its clocks."""
    bits_per_s = rate.quantity("bit/s")
    if bits_per_s == 0:
        raise rate.expected("more than 0")
    wanted, found = beats / bits_per_s * 10**12, device.burst_ticks * device.tick_ps
    if abs(wanted - found) > SLACK * wanted:
        raise rate.error(
            f"{beats} beats last {float(wanted):.6g} ps at {rate.text}, "
            f"but {device.burst_ticks // per_clock} clocks of the burst {float(found):.6g} ps"
        )
