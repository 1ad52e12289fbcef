"""A stack of DRAM with multipliers, read from YAML: a level and a set of rules of its file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, prod

from accelsim.errors import nearest
from accelsim.memory.pim_model import DIMENSIONS, NO_LIMIT, Compute, Energy, Level, Power, Softmax, Stack
from accelsim.overrides import apply_set, split_override
from accelsim.schema import check_schema
from accelsim.shipped import find_file
from accelsim.yamlfile import Node, load_file

__all__ = ["Stack", "load_document", "load_stack", "read_stack", "read_stacks"]

KIND = "arch_configs/pim"
MOVES = ("query", "scores", "weights", "outputs")
TIMINGS = ("nBL", "nRCD", "nRP", "nRAS", "nRC", "nRTP", "nCCDS", "nCCDL", "nREFI", "nRFC", "nCWL", "nWR")
TURNS = ("nWTRS", "nWTRL", "nRTW")
ENERGY = ("source", "class", "activate", "steps", "ordinary", "outside", "softmax", "refresh", "background")
LEVEL = (
    *("head_dim", "length", "walk", "window", "spacing", "compute", "moves", "queue", "inputs"),
    *("read_path", "move_path", "multiply"),
)
INPUTS = ("channel", "stack")
SPACING = ("channel", "rank", "bank_group")
REQUIRED = (
    *("schema", "name", "description", "source", "clock_period", "organisation", "timings"),
    *("results_per_move", "levels", "rules", "energy"),
)
MOST = 1 << 20
MOST_WALKED = 62  # sets of banks that commands walk through: one bit each of a 64-bit word


def load_stack(name: str, level: str, rules: str, *, power_limit: bool) -> Stack:
    """A stack, by path or shipped name, with one of its levels and rules.

    Raises:
        AccelsimError: an unknown name, a number that is missing or not allowed, a dimension in no list or in two.
    """
    return read_stack(load_document(name), level, rules, power_limit=power_limit)


def load_document(name: str, overrides: Sequence[str] = ()) -> Node:
    """The file of a stack, with `path=value` texts applied."""
    document = load_file(find_file(name, KIND, "stack with processing in memory"))
    check_schema(document, "pim")
    for text in overrides:
        where, value = split_override(text)
        document = apply_set(document, where.removeprefix("pim."), value)
    return document


def read_stack(document: Node, level: str, rules: str, *, power_limit: bool) -> Stack:
    """The stack of a document. Raises AccelsimError as `load_stack` does."""
    entries = document.fields(REQUIRED)
    organisation = entries["organisation"].fields(("channels", *DIMENSIONS, "row", "burst"))
    period_ps = entries["clock_period"].quantity("ps")
    if period_ps == 0:
        raise entries["clock_period"].expected("more than 0")
    chosen = _chosen(entries["levels"], level, "level")
    energy = _energy(entries["energy"])
    placed = _level(chosen, organisation, energy.step_pj_per_bit)
    timings = _timings(entries["timings"], period_ps)
    ruled = _chosen(entries["rules"], rules, "rule set").fields(("softmax", "append", "power"))
    power = _power(_chosen(ruled["power"], level, "limit for level"), placed.queue is not None)
    most = power.burst * _size(organisation["pseudo_channel"]) / timings["nBL"]
    if power.refill <= most > 0:
        raise ruled["power"].error(f"{level}: bursts of a processor take {most:g} tokens a cycle, no fewer than refill")
    return Stack(
        period_ps=float(period_ps),
        channels=_size(organisation["channels"]),
        sizes={name: _size(organisation[name]) for name in DIMENSIONS},
        rows=_size(organisation["row"]),
        burst_bytes=_bytes(organisation["burst"]),
        timings=timings,
        window=_size(chosen.mapping()["window"]),
        results_per_move=_size(entries["results_per_move"]),
        level=placed,
        power=power if power_limit else NO_LIMIT,
        softmax=None if ruled["softmax"].value is None else _softmax(ruled["softmax"]),
        append=ruled["append"].boolean(),
        energy=energy,
    )


def read_stacks(document: Node) -> dict[str, list[Stack]]:
    """Every level of a file, by name, under each of its rules."""
    entries = document.fields(REQUIRED)
    return {
        level: [read_stack(document, level, rules, power_limit=True) for rules in entries["rules"].mapping()]
        for level in entries["levels"].mapping()
    }


def _chosen(node: Node, name: str, noun: str) -> Node:
    known = node.mapping()
    if name not in known:
        raise node.error(f'no {noun} named "{name}"{nearest(name, known)}')
    return known[name]


def _size(node: Node) -> int:
    value = node.positive_integer()
    if value > MOST:
        raise node.expected(f"at most {MOST}")
    return value


def _bytes(node: Node) -> int:
    value = node.quantity("B")
    if value.denominator != 1 or not 0 < value <= MOST:
        raise node.expected(f"whole bytes, from 1 to {MOST}")
    return int(value)


def _count(node: Node) -> int:
    value = node.integer()
    if not 0 <= value <= MOST:
        raise node.expected(f"an integer from 0 to {MOST}")
    return value


def _timings(node: Node, period_ps: Fraction) -> Mapping[str, int]:
    """Cycles: as written, or a time rounded up to cycles."""
    found = {name: _cycles(entry, period_ps) for name, entry in node.fields(TIMINGS + TURNS).items()}
    busy = found["nRAS"] + found["nRP"] + found["nRC"] + found["nRFC"]
    if found["nREFI"] <= busy:
        entry = node.mapping()["nREFI"]
        raise entry.expected(f"more than nRAS + nRP + nRC + nRFC, which are {busy} cycles")
    return found


def _cycles(node: Node, period_ps: Fraction) -> int:
    if isinstance(node.value, str):
        return ceil(node.quantity("ps") / period_ps)
    return _size(node)


def _level(node: Node, organisation: Mapping[str, Node], steps: Iterable[str]) -> Level:
    entries = node.fields(LEVEL)
    lists = {name: entries[name].names() for name in ("head_dim", "length", "walk")}
    for name, found in lists.items():
        _refuse_unknown(entries[name], found, "dimension", DIMENSIONS)
    named = [dimension for found in lists.values() for dimension in found]
    for dimension in DIMENSIONS:
        if named.count(dimension) != 1:
            raise node.error(f"{dimension} must be in one of {', '.join(lists)}, and is in {named.count(dimension)}")
    if "column" not in lists["walk"]:
        raise entries["walk"].error("commands read a burst, so that they must walk through the column")
    sets = prod(_size(organisation[name]) for name in lists["walk"] if name != "column")
    if sets > MOST_WALKED:
        raise entries["walk"].error(f"{sets} sets of banks to walk through; at most {MOST_WALKED} are supported")
    spacing = entries["spacing"].fields(SPACING)
    moves = {name: entry.names() for name, entry in entries["moves"].fields(MOVES).items()}
    for name, found in moves.items():
        _refuse_unknown(entries["moves"].mapping()[name], found, "dimension", DIMENSIONS)
    channel, rank, group = (_count(spacing[name]) for name in SPACING)
    return Level(
        **lists,
        spacing=(channel, rank, group),
        compute=_compute(entries["compute"]),
        moves=moves,
        queue=_queue(entries["queue"], lists["walk"], sets, organisation),
        inputs=_word(entries["inputs"], INPUTS),
        read_path=_path(entries["read_path"], steps),
        move_path=_path(entries["move_path"], steps),
        multiply_pj={_width(entry): _amount(entry, "pJ") for entry in entries["multiply"].mapping().values()},
    )


def _queue(node: Node, walk: tuple[str, ...], sets: int, organisation: Mapping[str, Node]) -> int | None:
    if node.value is None:
        return None
    if walk[-1] != "column" or sets < 2:
        raise node.error("a processor reads sets of banks that MACs leave to it: several, each walked column by column")
    each = prod(_size(organisation[name]) for name in ("pseudo_channel", "bank_group", "bank"))
    if sets + each > MOST_WALKED:
        raise node.error(f"{sets} sets of banks and {each} banks of a processor; at most {MOST_WALKED} are supported")
    return _size(node)


def _word(node: Node, words: tuple[str, ...]) -> str:
    found = node.name()
    if found not in words:
        raise node.expected(" or ".join(words))
    return found


def _compute(node: Node) -> Compute:
    fields = node.fields(("width", "cycles"))
    return Compute(_bytes(fields["width"]), _size(fields["cycles"]))


def _refuse_unknown(node: Node, names: tuple[str, ...], noun: str, known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise node.error(f'no {noun} "{name}"{nearest(name, known)}')


def _path(node: Node, steps: Iterable[str]) -> tuple[str, ...]:
    found = node.names()
    _refuse_unknown(node, found, "step", steps)
    return found


def _energy(node: Node) -> Energy:
    entries = node.fields(ENERGY)
    steps = {name: _amount(entry, "pJ/bit") for name, entry in entries["steps"].mapping().items()}
    return Energy(
        source=" ".join(entries["source"].string().split()),
        activate_pj=_amount(entries["activate"], "pJ"),
        step_pj_per_bit=steps,
        ordinary_path=_path(entries["ordinary"], steps),
        outside_path=_path(entries["outside"], steps),
        softmax_pj=_amount(entries["softmax"], "pJ"),
        refresh_pj=_amount(entries["refresh"], "pJ"),
        background_mw=_amount(entries["background"], "mW"),
    )


def _amount(node: Node, unit: str) -> Fraction | None:
    return None if node.value is None else node.quantity(unit)


def _width(node: Node) -> int:
    """Bytes of an element, which are the key of a value."""
    key = node.path.rpartition(".")[2]
    if not key.isdecimal():
        raise node.error(f'a key must be bytes of an element, got "{key}"')
    return int(key)


def _power(node: Node, beside: bool) -> Power:
    """A limit, with a processor's tokens where one may read beside the MACs."""
    if node.value is None:
        return NO_LIMIT
    fields = node.fields(("refill", "most", "MAC", "query", "ACT", *(["processor"] if beside else [])))
    mac, query, activate = (_count(fields[name]) for name in ("MAC", "query", "ACT"))
    power = Power(_size(fields["refill"]), _size(fields["most"]), mac, query, activate)
    if beside:
        processor = fields["processor"].fields(("burst", "ACT"))
        power = replace(power, burst=_count(processor["burst"]), row=_count(processor["ACT"]))
    largest = max(power.mac, power.activate, power.burst, power.row)
    if largest > power.most:
        raise fields["most"].expected(f"at least {largest}, what one command takes")
    return power


def _softmax(node: Node) -> Softmax:
    fields = node.fields(("per_cycle", "passes"))
    return Softmax(_size(fields["per_cycle"]), _size(fields["passes"]))
