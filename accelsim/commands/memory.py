"""`accelsim memory`: what a memory controller makes of a stream or a trace of requests."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.commands.reply import Reply
from accelsim.errors import AccelsimError, Mark
from accelsim.overrides import split_override

if TYPE_CHECKING:
    from accelsim.memory import Device, Outcome, Policy, Requests

HELP = "a stream or a trace of requests to a DRAM, command by command"
CONTROL = ("seed", "reads")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    known = "HBM4, HBM3, HBM2E, HBM2, GDDR6, LPDDR5, DDR5, DDR4"
    parser.add_argument("standard", metavar="STANDARD", help=f"{known}, or a path")
    parser.add_argument("--org", metavar="NAME", help="an organisation of the standard")
    parser.add_argument("--timing", metavar="NAME", help="a speed grade of the standard")
    parser.add_argument("--stream", metavar="NAME", help="a named stream: random, rowhit_1bank, seq_RoBaBgCo, ...")
    parser.add_argument("--requests", type=int, default=10_000, metavar="N", help="of the stream (default: 10000)")
    parser.add_argument("--trace", metavar="FILE", help="requests instead of a stream, a line each: 0x1f40 R [ARRIVAL]")
    parser.add_argument("--refresh", action="store_true", help="refresh all banks of a part at once")
    parser.add_argument("--queue", metavar="N", help="places of the queue of reads and of that of writes (default: 32)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="of the controller (page=closed, refresh=per-bank, drain_above=80), of the stream (reads=75, seed=1), "
        "or a path in the standard's file (address_map, timings.HBM3_6400Mbps.nRCDRD); may be repeated",
    )


@dataclass(frozen=True)
class Served:
    """Requests of some channels with what became of them."""

    device: Device
    policy: Policy
    requests: Sequence[Requests]
    outcomes: Sequence[Outcome]


def run(arguments: argparse.Namespace) -> Reply:
    from accelsim.memory import load_device, serve_all

    if (arguments.stream is None) == (arguments.trace is None):
        raise AccelsimError("give one of --stream and --trace")
    policy, control, paths = _settings(arguments)
    if arguments.trace and control:
        raise AccelsimError(f"{next(iter(control))}: a trace has its own requests", Mark("--set", 1, 1))
    device = load_device(arguments.standard, arguments.org, arguments.timing, paths)
    requests = _requests(arguments, device, control)
    served = Served(device, policy, requests, [serve_all(device, policy, part) for part in requests])
    document = _document(arguments.stream or arguments.trace, served)
    return Reply(_text(document), document)


def _settings(arguments: argparse.Namespace) -> tuple[Policy, dict[str, int], list[str]]:
    """The controller's policy, what shapes the stream, and the overrides that are meant for the standard's file."""
    from accelsim.memory import Policy

    known = [field.name for field in fields(Policy)]
    said: dict[str, object] = {"refresh": "all-bank"} if arguments.refresh else {}
    given = [f"queue={arguments.queue}", f"write_queue={arguments.queue}"] if arguments.queue is not None else []
    control: dict[str, int] = {}
    paths: list[str] = []
    for text in (*given, *arguments.overrides):
        key, node = split_override(text)
        if key in known:
            said[key] = node.plain()
        elif key in CONTROL:
            control[key] = node.integer()
        else:
            paths.append(text)
    try:
        return Policy(**said), control, paths  # type: ignore[arg-type]
    except AccelsimError as error:
        raise AccelsimError(error.message, Mark("--set", 1, 1)) from None


def _requests(arguments: argparse.Namespace, device: Device, control: dict[str, int]) -> list[Requests]:
    """One list of requests for each channel that has any."""
    from accelsim.memory import make_stream, read_trace

    if arguments.trace:
        return list(read_trace(Path(arguments.trace), device).values())
    return [make_stream(arguments.stream, device.organisation, arguments.requests, **control)]


def _document(source: str, served: Served) -> dict[str, object]:
    from accelsim.memory.energy import energy_of, total

    device, outcomes = served.device, served.outcomes
    cycles = max(outcome.cycles for outcome in outcomes)
    requests = sum(len(part.bank) for part in served.requests)
    writes = sum(int(part.write.sum()) for part in served.requests)
    seconds = float(cycles * device.tick_ps) * 1e-12
    size = requests * device.organisation.burst_bytes
    parts = [energy_of(device, outcome) for outcome in outcomes]
    energy = {name: _sum([part[name] for part in parts]) for name in parts[0]}
    latency = sum(outcome.read_latency for outcome in outcomes)
    return {
        "schema": 1,
        "kind": "memory",
        "standard": device.standard,
        "organisation": device.organisation.name,
        "timing": device.timing,
        "stream": source,
        "policy": asdict(served.policy),
        "channels": len(outcomes),
        "requests": requests,
        "reads": requests - writes,
        "writes": writes,
        "cycles": cycles,
        "accepted_cycles": max(outcome.accepted_cycles for outcome in outcomes),
        "tick_ps": float(device.tick_ps),
        "seconds": seconds,
        "row_hits": sum(outcome.hits for outcome in outcomes),
        "row_misses": sum(outcome.misses for outcome in outcomes),
        "row_conflicts": sum(outcome.conflicts for outcome in outcomes),
        "commands": {name: sum(outcome.commands[name] for outcome in outcomes) for name in outcomes[0].commands},
        "bytes": size,
        "bandwidth_bytes_per_s": size / seconds,
        "peak_bytes_per_s": device.peak_bytes_per_s * len(outcomes),
        "read_latency_cycles": latency / (requests - writes) if requests > writes else None,
        "energy_pj": total(energy),
        "energy_by": energy,
        "energy_unknown": [name for name, value in energy.items() if value is None],
        "energy_source": device.energy.source,
        "source": device.source,
    }


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _text(document: dict[str, object]) -> str:
    d = document
    latency, channels = d["read_latency_cycles"], d["channels"]
    of = "one channel" if channels == 1 else f"{channels} channels"
    lines = [
        f"{d['standard']} {d['organisation']} {d['timing']}: {d['stream']}, {d['requests']:,} requests to {of}",
        f"cycles: {d['cycles']:,} of {d['tick_ps']:g} ps; the last request was accepted after {d['accepted_cycles']:,}",
        f"row hits: {d['row_hits']:,}, misses: {d['row_misses']:,}, conflicts: {d['row_conflicts']:,}",
        f"bandwidth: {_giga(d['bandwidth_bytes_per_s'])} GB/s of {_giga(d['peak_bytes_per_s'])} GB/s",
        "read latency: " + (f"{latency:,.1f} cycles on average" if latency is not None else "no reads"),
        "commands: " + ", ".join(f"{name} {count:,}" for name, count in _items(d["commands"]) if count),
        _energy_line(d),
    ]
    return "\n".join(lines)


def _giga(value: object) -> str:
    return f"{value / 1e9:.2f}" if isinstance(value, float) else str(value)


def _items(value: object) -> list[tuple[str, int]]:
    return list(value.items()) if isinstance(value, dict) else []


def _energy_line(document: dict[str, object]) -> str:
    known = [f"{name} {value / 1e6:.4g}" for name, value in _items(document["energy_by"]) if value]
    unknown = document["energy_unknown"]
    missing = f"; not known: {', '.join(unknown)}" if isinstance(unknown, list) and unknown else ""
    return f"energy in uJ: {', '.join(known) or 'nothing is known'}{missing}"
