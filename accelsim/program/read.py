"""From the text of a program to the program: every refusal names the line and what may stand there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.program.check import check_program
from accelsim.program.line import WORDS, Line
from accelsim.program.model import (
    KINDS,
    ORDERS,
    ZERO,
    Body,
    Buffer,
    Draw,
    Edge,
    Hold,
    Loop,
    Par,
    Places,
    Program,
    Resource,
    Seq,
    Table,
    Task,
    Transfer,
    Tree,
)
from accelsim.program.read_memory import read_places, with_memory

MAX_TEXT = 1 << 20
MAX_DEPTH = 64
HEADS = ("resource", "memory", "buffer", "table", "draw", "places")
HOLD_WORDS = ("holds", "of", "for", "with")


def read_program(text: str, source: str = "program") -> Program:
    """The program that a text describes, checked.

    Args:
        text: as `render_program` writes it; `#` starts a comment.
        source: what to call it in messages.

    Raises:
        AccelsimError: at the line where the text is not one of a program; or what `check_program` finds.
    """
    if len(text) > MAX_TEXT:
        raise AccelsimError(f"the text has {len(text)} characters; at most {MAX_TEXT} are read")
    lines = [line for number, raw in enumerate(text.split("\n"), 1) if (line := _line(raw, source, number))]
    if not lines or lines[0].words[0] != "program":
        raise AccelsimError('a program begins with a line such as "program tiny at 1000000000 per s"')
    program = _header(lines)
    check_program(program)
    return program


def _line(raw: str, source: str, number: int) -> Line | None:
    text = raw.split("#", maxsplit=1)[0].rstrip()
    stripped = text.lstrip(" ")
    indent = len(text) - len(stripped)
    mark = Mark(source, number, indent + 1)
    if not stripped:
        return None
    if indent % 2 or indent > 2 * MAX_DEPTH:
        raise AccelsimError(f"a level is two blanks and there are at most {MAX_DEPTH}; found {indent} blanks", mark)
    return Line(mark, indent // 2, stripped)


def _header(lines: list[Line]) -> Program:
    first, words = lines[0], lines[0].words
    if len(words) != 6 or words[2] != "at" or words[4:] != ["per", "s"]:
        raise first.error('expected "program NAME at TICKS per s"')
    resources: list[Resource] = []
    buffers: list[Buffer] = []
    tables: list[Table | Draw] = []
    places: list[Places] = []
    at = 1
    while at < len(lines) and lines[at].words[0] in HEADS:
        line, kind = lines[at], lines[at].words[0]
        if kind == "resource":
            resources.append(_resource(line))
        elif kind == "memory":
            resources = with_memory(line, resources)
        elif kind == "places":
            places.append(read_places(line))
        elif kind == "buffer":
            buffers.append(_buffer(line))
        else:
            tables.append(_draw(line) if kind == "draw" else _table(line))
        at += 1
    root, end = _tree(lines, at, 0)
    if end < len(lines):
        raise lines[end].error("a program has one tree; put several under seq or par")
    name, ticks = first.name(words[1]), first.fraction(words[3])
    return Program(name, ticks, tuple(resources), root, tuple(buffers), tuple(tables), tuple(places))


def _resource(line: Line) -> Resource:
    words = line.words
    if len(words) < 4 or words[3] not in ORDERS:
        raise line.error(f'expected "resource NAME COUNT ORDER", ORDER one of {", ".join(ORDERS)}')
    rate = line.fraction(words[-1]) if words[-2] == "rate" else None
    issued = words[4:-2] if rate is not None else words[4:]
    static = tuple(_issue(line, word) for word in issued)
    return Resource(line.name(words[1]), line.number(words[2]), words[3], static, rate)


def _issue(line: Line, word: str) -> tuple[str, int]:
    name, _, stage = word.partition("+")
    return line.name(name), line.number(stage) if stage else 0


def _buffer(line: Line) -> Buffer:
    words = line.words
    if len(words) < 3 or words[3:] not in ([], ["pool"]):
        raise line.error('expected "buffer NAME BYTES" or "buffer NAME BYTES pool"')
    return Buffer(line.name(words[1]), line.number(words[2]), len(words) == 4)


def _table(line: Line) -> Table:
    words = line.words
    if len(words) < 3 or not re.fullmatch(r"\[[0-9]+(,[0-9]+)*\]", words[2]):
        raise line.error('expected "table NAME [SHAPE] VALUES", such as "table LEN [3] 5 6 7"')
    shape = tuple(line.number(word) for word in words[2][1:-1].split(","))
    return Table(line.name(words[1]), shape, tuple(line.number(word) for word in words[3:]))


def _draw(line: Line) -> Draw:
    if len(line.words) < 4:
        raise line.error('expected "draw NAME SEED CHOICES", such as "draw K 7 1 2 3"')
    return Draw(line.name(line.words[1]), line.number(line.words[2]), tuple(map(line.number, line.words[3:])))


def _tree(lines: Sequence[Line], at: int, depth: int) -> tuple[Tree, int]:
    """The tree that begins at a line, and the place of the line after it."""
    if at >= len(lines) or lines[at].depth != depth:
        before = lines[min(at, len(lines)) - 1]
        raise (lines[at] if at < len(lines) else before).error(
            f"expected loop, seq, par or body at {2 * depth} blanks of indent"
        )
    line = lines[at]
    words = line.words
    match words[0]:
        case "loop" if len(words) >= 4 and words[2] == "<":
            child, end = _tree(lines, at + 1, depth + 1)
            return Loop(line.name(words[1]), line.index(line.text.split("<", 1)[1].strip()), child), end
        case "body" if len(words) == 2:
            end = _end(lines, at + 1, depth + 1)
            return Body(tuple(_task(item) for item in lines[at + 1 : end]), line.number(words[1])), end
        case "seq" | "par" if len(words) == 1:
            found, end = [], at + 1
            while end < len(lines) and lines[end].depth > depth:
                child, end = _tree(lines, end, depth + 1)
                found.append(child)
            return (Seq if words[0] == "seq" else Par)(tuple(found)), end
    raise line.error(f'expected "loop RANK < BOUND", "seq", "par" or "body IN_FLIGHT", got "{line.text}"')


def _end(lines: Sequence[Line], at: int, depth: int) -> int:
    while at < len(lines) and lines[at].depth == depth:
        at += 1
    return at


def _task(line: Line) -> Task:
    words = line.words
    if words[0] not in KINDS or len(words) < 4:
        raise line.error(f'expected "task NAME on RESOURCE ...", got "{line.text}"{nearest(words[0], KINDS)}')
    clauses, when = _clauses(line)
    found = dict(clauses)
    unknown = "on" not in found or ("moves" in found) == ("busy" in found)
    if unknown:
        raise line.error('a task needs "on" with its resources and either "busy" or "moves"')
    chunk = line.number(found["by"]) if "by" in found else None
    at = line.index(found["at"]) if "at" in found else None
    return Task(
        line.name(words[1]),
        tuple(_claim(line, part) for part in _parts(found["on"])),
        line.index(found["busy"]) if "busy" in found else None,
        line.index(found["latency"]) if "latency" in found else ZERO,
        line.predicate(when) if when else None,
        tuple(_edge(line, part) for part in _parts(found.get("after", ""))),
        words[0],
        _holds(line, clauses),
        Transfer(line.index(found["moves"]), chunk, at) if "moves" in found else None,
    )


def _clauses(line: Line) -> tuple[list[tuple[str, str]], str]:
    """The words after each of WORDS in order, and the condition behind `when`."""
    body, _, when = line.text.partition(" when ")
    clauses: list[tuple[str, str]] = []
    for word in body.split()[2:]:
        if word in WORDS:
            clauses.append((word, ""))
        elif not clauses:
            raise line.error(f'expected one of {", ".join(WORDS)}, got "{word}"{nearest(word, WORDS)}')
        else:
            clauses[-1] = clauses[-1][0], f"{clauses[-1][1]} {word}".strip()
    names = [word for word, _ in clauses if word not in HOLD_WORDS]
    twice = next((word for word in names if names.count(word) > 1), None)
    if twice:
        raise line.error(f'"{twice}" stands twice in one task')
    return clauses, when


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


def _claim(line: Line, part: str) -> tuple[str, int]:
    name, _, amount = part.partition(":")
    return line.name(name), line.number(amount) if amount else 1


def _edge(line: Line, part: str) -> Edge:
    source, *vector = part.split() or [""]
    steps = [word.partition(":") for word in vector if "=" not in word and word[0] != "~"]
    first = [word.partition("=") for word in vector if "=" in word]
    for rank, _, value in first:
        if value != "0":
            raise line.error(f'an edge leads to {rank}=0, the first iteration, or to {rank}:N; got "{rank}={value}"')
    back = [line.number(word[1:]) for word in vector if word[0] == "~"]
    return Edge(
        line.name(source),
        tuple((line.name(rank), line.number(n)) for rank, _, n in steps),
        tuple(line.name(rank) for rank, _, _ in first),
        sum(back),
    )


def _holds(line: Line, clauses: list[tuple[str, str]]) -> tuple[Hold, ...]:
    found: list[Hold] = []
    for word, text in clauses:
        names = tuple(line.name(part) for part in _parts(text)) if word in HOLD_WORDS[1:] else ()
        if word == "holds":
            buffer, _, size = text.partition(" ")
            found.append(Hold(line.name(buffer), line.index(size), ()))
        elif word in HOLD_WORDS and not found:
            raise line.error(f'"{word}" must follow "holds"')
        elif word == "of":
            found[-1] = replace(found[-1], by=names)
        elif word == "for":
            found[-1] = replace(found[-1], readers=names)
        elif word == "with":
            found[-1] = replace(found[-1], users=names)
    return tuple(found)
