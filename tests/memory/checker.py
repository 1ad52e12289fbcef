"""An independent look at what a controller issued: from the log alone, pair by pair, without the controller's state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from accelsim.memory.model import COMMANDS, Constraint, Device, Requests

Entry = tuple[int, str, int, int]
"""Tick, command, bank, request."""
OPENS, CLOSES, ACCESSES = ("ACT",), ("PRE", "RDA", "WRA"), ("RD", "WR", "RDA", "WRA")
WIDE = ("PREA", "REFab")


def entries(log: tuple[tuple[int, int, int, int], ...]) -> list[Entry]:
    return [(tick, COMMANDS[command], bank, request) for tick, command, bank, request in log]


def complaints(device: Device, requests: Requests, log: list[Entry]) -> list[str]:
    """Everything that the device would not have allowed."""
    return [
        *_order(log),
        *(text for constraint in device.constraints for text in _too_soon(device, constraint, log)),
        *_buses(device, log),
        *_rows(device, requests, log),
        *_data(device, log),
    ]


def _order(log: list[Entry]) -> Iterator[str]:
    for before, after in pairwise(log):
        if after[0] < before[0]:
            yield f"{after} is logged behind {before}"


def _concerned(device: Device, entry: Entry) -> range:
    _, command, bank, _ = entry
    return range(bank, bank + (device.organisation.banks_in[device.refresh.scope] if command in WIDE else 1))


def _too_soon(device: Device, constraint: Constraint, log: list[Entry]) -> Iterator[str]:
    """Commands of `next` less than the delay after the window-th last of `after` in their scope."""
    size = device.organisation.banks_in
    ticks: dict[int, list[int]] = defaultdict(list)
    for entry in log:
        tick, command, _, _ = entry
        plain = {"RDA": "RD", "WRA": "WR"}.get(command, command)
        if plain in constraint.next:
            for last in (ticks[part] for bank in _concerned(device, entry) for part in _parts(constraint, size, bank)):
                if len(last) >= constraint.window and tick - last[-constraint.window] < constraint.ticks:
                    yield f"{entry} comes {tick - last[-constraint.window]} ticks after {constraint}"
        if command in constraint.after:
            ticks[_own(constraint, size, entry[2])].append(tick)


def _own(constraint: Constraint, size: Mapping[str, int], bank: int) -> int:
    return bank // size["rank" if constraint.scope == "other_rank" else constraint.scope]


def _parts(constraint: Constraint, size: Mapping[str, int], bank: int) -> list[int]:
    """The parts whose commands a bank must wait for."""
    if constraint.scope != "other_rank":
        return [bank // size[constraint.scope]]
    ranks = size["pseudo_channel"] // size["rank"]
    first = bank // size["pseudo_channel"] * ranks
    return [rank for rank in range(first, first + ranks) if rank != bank // size["rank"]]


def _buses(device: Device, log: list[Entry]) -> Iterator[str]:
    """No command while another still holds its bus, and rising edges where they are asked for."""
    free: dict[int, int] = defaultdict(int)
    for entry in log:
        command = device.commands[{"RDA": "RD", "WRA": "WR"}.get(entry[1], entry[1])]
        if entry[0] < free[command.bus]:
            yield f"{entry} while the bus is held until {free[command.bus]}"
        if command.rising and entry[0] % 2:
            yield f"{entry} on a falling edge"
        free[command.bus] = entry[0] + command.ticks


def _rows(device: Device, requests: Requests, log: list[Entry]) -> Iterator[str]:
    """Rows are opened in closed banks, read while open, and closed before a refresh; each request is served once."""
    rows: dict[int, int] = {}
    served = []
    for entry in log:
        _, command, bank, request = entry
        if command in OPENS:
            if bank in rows:
                yield f"{entry} in an open bank"
            rows[bank] = int(requests.row[request])
        if command in ACCESSES:
            served.append(request)
            if (bank, rows.get(bank)) != (requests.bank[request], requests.row[request]):
                yield f"{entry} finds row {rows.get(bank)}"
            if command.startswith("W") != bool(requests.write[request]):
                yield f"{entry} mistakes a read for a write"
        if command in ("REFab", "REFpb") and any(at in rows for at in _concerned(device, entry)):
            yield f"{entry} while a row is open"
        if command in (*CLOSES, "PREA"):
            for at in _concerned(device, entry):
                rows.pop(at, None)
    if sorted(served) != list(range(len(requests.bank))):
        yield "not every request is served once"


def _data(device: Device, log: list[Entry]) -> Iterator[str]:
    """No two bursts at once on the data bus of a pseudo-channel."""
    size = device.organisation.banks_in["pseudo_channel"]
    bursts: dict[int, list[tuple[int, Entry]]] = defaultdict(list)
    for entry in log:
        if entry[1] in ACCESSES:
            ticks = device.write_ticks if entry[1].startswith("W") else device.read_ticks
            bursts[entry[2] // size].append((entry[0] + ticks, entry))
    for ends in bursts.values():
        for (end, before), (other, after) in pairwise(sorted(ends)):
            if other - device.burst_ticks < end:
                yield f"the data of {before} and {after} overlap"
