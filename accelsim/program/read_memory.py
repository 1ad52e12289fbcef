"""The lines of a program that say what DRAM it has and where tiles lie in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace

from accelsim.errors import AccelsimError
from accelsim.memory.bursts import Run
from accelsim.memory.model import Policy
from accelsim.memory.setup import Setup
from accelsim.program.line import Line
from accelsim.program.model import Memory, Places, Resource

RUN = re.compile(r"([0-9]{1,18})\+([0-9]{1,18})(?:/([0-9]{1,18})\*([0-9]{1,18}))?")
SHAPE = re.compile(r"\[([0-9]{1,18}(?:,[0-9]{1,18})*)\]")
POLICY = tuple(field.name for field in fields(Policy))
FORM = f"memory RESOURCE STANDARD ORG TIMING channels N {' .. '.join(POLICY)} .. period N map MAP"


def with_memory(line: Line, resources: Sequence[Resource]) -> list[Resource]:
    """Resources, the one that the line names with its DRAM."""
    head, _, order = line.text.partition(" map ")
    words = head.split()
    keys, values = words[5::2], words[6::2]
    if keys != ["channels", *POLICY, "period"] or len(values) != len(keys) or not order.strip():
        raise line.error(f'expected "{FORM}"')
    said = dict(zip(keys, values, strict=True))
    if words[1] not in [resource.name for resource in resources]:
        raise line.error(f'no resource named "{words[1]}" stands above')
    setup = Setup(words[2], words[3], words[4], line.number(said["channels"]), order.strip(), _policy(line, said))
    memory = Memory(setup, line.fraction(said["period"]))
    return [replace(r, memory=memory) if r.name == words[1] else r for r in resources]


def _policy(line: Line, said: dict[str, str]) -> Policy:
    given = {key: int(said[key]) if said[key].isdecimal() else said[key] for key in POLICY}
    try:
        return Policy(**given)  # type: ignore[arg-type]
    except AccelsimError as error:
        raise line.error(error.message) from None


def read_places(line: Line) -> Places:
    """Where tiles lie: `A [2] 0+4096 8192+64/1024*16,65536+32`, and `-` for one that does not exist."""
    words = line.words
    shape = SHAPE.fullmatch(words[2]) if len(words) > 3 else None
    if not shape:
        raise line.error('expected "places NAME [SHAPE] TILES", such as "places A [2] 0+4096 8192+64/1024*16"')
    sizes = tuple(int(size) for size in shape[1].split(","))
    return Places(line.name(words[1]), sizes, tuple(_tile(line, word) for word in words[3:]))


def _tile(line: Line, word: str) -> tuple[Run, ...]:
    return () if word == "-" else tuple(_run(line, part) for part in word.split(","))


def _run(line: Line, part: str) -> Run:
    found = RUN.fullmatch(part)
    if not found:
        raise line.error(f'expected stretches of bytes such as 4096+64 or 4096+64/1024*16, got "{part[:40]}"')
    first, size, distance, count = found.groups()
    return int(first), int(size), int(distance or 0), int(count or 1)
