"""A device and a policy as the record that the kernel reads, and a channel at rest as the one that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, cast, get_type_hints

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.memory import kernel, records
from accelsim.memory.kernel import FAR
from accelsim.memory.model import COMMANDS, LEVELS, TABLED, Constraint, Device, Integers, Policy, Requests
from accelsim.memory.records import State, Tables

Rule = tuple[int, int, int, int]
"""What follows, the level whose part it holds in, the level whose part it spares (-1: none), ticks."""


def _records(kind: type, count: int) -> np.recarray[Any, Any]:
    """Records of zeros with the fields that a class declares, scalars and arrays of the shapes said there."""
    hints = get_type_hints(kind, include_extras=True)
    fields = [(name, np.int64, getattr(hint, "__metadata__", ())) for name, hint in hints.items()]
    return np.rec.array(np.zeros(count, fields))


def tables_of(device: Device, policy: Policy) -> Tables:
    """Raises AccelsimError for more banks, rules or windows than the kernel has room for."""
    tables = cast(Tables, _records(Tables, 1)[0])
    size = device.organisation.banks_in
    _refuse_large(device, size["channel"])
    _set_policy(tables, device, policy)
    _set_commands(tables, device)
    _set_rules(tables, device, _issued(policy))
    _set_windows(tables, [constraint for constraint in device.constraints if constraint.window > 1])
    banks = np.arange(size["channel"])
    tables.sizes[:] = [size[level] for level in LEVELS]
    tables.start[:, : len(banks)] = [banks // size[level] * size[level] for level in LEVELS]
    tables.part[: len(banks)] = banks // size[device.refresh.scope]
    tables.rank[: len(banks)] = banks // size["rank"]
    return tables


def _refuse_large(device: Device, banks: int) -> None:
    windows = [constraint for constraint in device.constraints if constraint.window > 1]
    sizes = {
        "banks in a channel": (banks, records.BANKS),
        "buses": (len(device.buses), records.BUSES),
        "rules": (sum(len(_rules(device, command)) for command in COMMANDS), records.RULES),
        "windows": (len(windows), records.WINDOWS),
        "commands in a window": (max((constraint.window for constraint in windows), default=0), records.COUNT),
    }
    for one, other in (("RD", "WR"), ("ACT", "PRE")):
        if device.commands[one].bus != device.commands[other].bus:
            raise AccelsimError(f"{device.standard}: {one} and {other} must share a bus")
    for what, (found, most) in sizes.items():
        if found > most:
            raise AccelsimError(f"{device.organisation.name}: {found} {what}; at most {most} are supported")


def _set_policy(tables: Tables, device: Device, policy: Policy) -> None:
    size = device.organisation.banks_in
    tables.latency[:] = device.read_ticks, device.write_ticks
    tables.places[:] = policy.queue, policy.write_queue
    tables.drain_above = policy.drain_above * policy.write_queue // 100
    tables.drain_below = -(-policy.drain_below * policy.write_queue // 100)
    tables.closed = int(policy.page == "closed")
    tables.single = int(policy.refresh == "per-bank")
    tables.part_banks = size[device.refresh.scope]
    tables.parts = size["channel"] // tables.part_banks
    tables.interval = refresh_interval(device, policy)


def refresh_interval(device: Device, policy: Policy) -> int:
    """Ticks between refreshes of a part, or of its banks one after the other; 0 for none."""
    if policy.refresh == "none":
        return 0
    part = device.organisation.banks_in[device.refresh.scope]
    return device.refresh.interval // (part if policy.refresh == "per-bank" else 1)


def _set_commands(tables: Tables, device: Device) -> None:
    tables.buses = len(device.buses)
    tables.bus[:] = -1
    for at, name in enumerate(COMMANDS):
        command = device.commands.get({"RDA": "RD", "WRA": "WR"}.get(name, name))
        tables.wide[at] = name in ("PREA", "REFab")
        if command:
            tables.bus[at], tables.ticks[at], tables.rising[at] = command.bus, command.ticks, command.rising


def _issued(policy: Policy) -> set[int]:
    """The tabled commands that a policy issues: no rule need look after the others."""
    unused = {"none": {"PREA", "REFab", "REFpb"}, "all-bank": {"REFpb"}, "per-bank": {"PREA", "REFab"}}
    return {at for at, command in enumerate(TABLED) if command not in unused[policy.refresh]}


def _set_rules(tables: Tables, device: Device, issued: set[int]) -> None:
    rules = [[rule for rule in _rules(device, command) if rule[0] in issued] for command in COMMANDS]
    tables.first[:] = [0, *accumulate(map(len, rules))]
    for at, rule in enumerate(rule for found in rules for rule in found):
        tables.rules[at] = rule


def _rules(device: Device, command: str) -> list[Rule]:
    """What a command holds up, without what a stronger or wider rule says anyway."""
    found = {
        _rule(constraint, following)
        for constraint in device.constraints
        if constraint.window == 1 and command in constraint.after
        for following in constraint.next
    }
    return sorted(rule for rule in found if not any(_implies(other, rule) for other in found - {rule}))


def _rule(constraint: Constraint, following: str) -> Rule:
    others = constraint.scope == "other_rank"
    level = LEVELS.index("pseudo_channel" if others else constraint.scope)
    return TABLED.index(following), level, LEVELS.index("rank") if others else -1, constraint.ticks


def _implies(one: Rule, other: Rule) -> bool:
    return one[0] == other[0] and one[1] <= other[1] and one[2] in (-1, other[2]) and one[3] >= other[3]


def _set_windows(tables: Tables, windows: list[Constraint]) -> None:
    tables.window_count = len(windows)
    for at, window in enumerate(windows):
        tables.windows[at] = LEVELS.index(window.scope), window.ticks, window.window
        tables.counted[at] = [command in window.after for command in COMMANDS]
        tables.held[at] = [command in window.next for command in TABLED]


def state_of(tables: Tables) -> State:
    """A channel at rest: all banks closed, tick 0."""
    return states_of(tables, 1)[0]


def states_of(tables: Tables, channels: int) -> Sequence[State]:
    """Channels at rest, side by side as the kernel reads them."""
    states = cast(Sequence[State], _records(State, channels))
    for state in states:
        state.next_due = tables.interval or FAR
        for absent in (state.row, state.owner, state.head, state.tail, state.hit, state.place):
            absent[:] = -1
        state.want[:] = kernel.NOTHING
        state.times[:] = -FAR
    return states


def queue_of(requests: Requests) -> Integers:
    """Requests as the columns of a kernel's queue."""
    queue = np.zeros((kernel.LINES, len(requests.bank)), np.int64)
    queue[kernel.BANK], queue[kernel.ROW] = requests.bank, requests.row
    queue[kernel.KIND], queue[kernel.ARRIVAL] = requests.write, requests.arrival
    return queue
