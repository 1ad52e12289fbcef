"""How fast DRAM is simulated: requests served in a second of processor time, kernels compiled, the quickest of several.

So are commands to multipliers in memory: reads, moves, activations and the others that were issued.

Run with `python benchmarks/memory.py [--requests N] [--json]`. Beside some rows stands what Ramulator 2.1 (c5b1c3a,
-O3, processor time of one core of another machine) does in a second.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from accelsim.memory import Policy, load_device, make_stream, serve_all
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_model import beside_processor
from accelsim.memory.pim_run import issue
from accelsim.memory.pim_stream import Attention, channel_commands

TURNS = 5
HBM3 = ("HBM3", "HBM3_16Gb_8hi", "HBM3_6400Mbps")
OTHERS = [
    ("HBM2", "HBM2_8Gb", "HBM2_2000Mbps"),
    ("DDR5", "DDR5_16Gb_x8", "DDR5_4800AN"),
    ("DDR4", "DDR4_8Gb_x8", "DDR4_3200AA"),
    ("GDDR6", "GDDR6_16Gb_x16", "GDDR6_14000_1350mV_double"),
    ("LPDDR5", "LPDDR5_16Gb_x16", "LPDDR5_6400"),
]
CASES = [  # device, stream, percent of reads, queue, refresh, requests per second of the other simulator
    (HBM3, "random", 100, 32, "all-bank", 26_033),
    (HBM3, "random", 100, 16, "none", 42_435),
    (HBM3, "seq_RoBaBgCo", 100, 16, "none", 86_489),
    (HBM3, "seq_RoBaBgCo", 100, 128, "none", 22_770),
    (HBM3, "rowhit_1bank", 100, 32, "all-bank", None),
    (HBM3, "rowhit_bg_rr", 100, 32, "all-bank", None),
    (HBM3, "bank_conflict", 100, 32, "all-bank", None),
    (HBM3, "random", 50, 32, "per-bank", None),
    *((device, stream, 100, 32, "all-bank", None) for device in OTHERS for stream in ("rowhit_bg_rr", "random")),
]


PIM_CASES = [  # level, percent of the bandwidth that a processor asks for beside it
    *((level, None) for level in ("bank", "bank-group", "buffer", "logic")),
    ("logic", 50),
]


@dataclass(frozen=True)
class PimRow:
    """Decode attention of 192 pairs in memory, under corrected rules, and commands of a channel issued in a second."""

    level: str
    processor_share: int | None
    commands: int
    per_s: float


@dataclass(frozen=True)
class Row:
    """A stream, and how many of its requests are served in a second here and there."""

    standard: str
    stream: str
    reads: int
    queue: int
    refresh: str
    per_s: float
    other_per_s: int | None


def rows(requests: int) -> Iterator[Row]:
    for device, stream, reads, queue, refresh, other in CASES:
        on = load_device(*device)
        drawn = make_stream(stream, on.organisation, requests, reads=reads)
        policy = Policy(queue=queue, write_queue=queue, refresh=refresh)
        seconds = []
        for _ in range(TURNS):
            start = time.process_time()
            serve_all(on, policy, drawn)
            seconds.append(time.process_time() - start)
        yield Row(on.standard, stream, reads, queue, refresh, requests / min(seconds), other)


def pim_rows() -> Iterator[PimRow]:
    for level, share in PIM_CASES:
        stack = load_stack("HBM3-PIM", level, "corrected", power_limit=True)
        stack = stack if share is None else beside_processor(stack, share)
        commands = channel_commands(stack, Attention(192, 4096, 128, 2), (4096,) * 12, sharers=16)
        seconds, issued = [], 0
        for _ in range(TURNS):
            start = time.process_time()
            _, log = issue(stack, commands)
            seconds.append(time.process_time() - start)
            issued = len(log)
        yield PimRow(level, share, issued, issued / min(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found: list[Row | PimRow] = []
    for row in rows(arguments.requests):
        found.append(row)
        ratio = f"{row.per_s / row.other_per_s:6.0f} x" if row.other_per_s else ""
        if not arguments.json:
            what = f"{row.standard:7s} {row.stream:13s} {row.reads:4d}% reads, queue {row.queue:3d}"
            print(f"{what}, refresh {row.refresh:8s} {row.per_s / 1e6:6.2f} M requests/s {ratio}")
    for one in pim_rows():
        found.append(one)
        beside = f", a processor at {one.processor_share}%" if one.processor_share else ""
        if not arguments.json:
            print(f"in memory: {one.level}{beside}: {one.commands:,} commands, {one.per_s / 1e6:.2f} M commands/s")
    if arguments.json:
        print(json.dumps([asdict(row) for row in found], indent=1))


if __name__ == "__main__":
    main()
