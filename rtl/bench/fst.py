"""Waves as an FST file, a compressed format that GTKWave, Surfer and others open, from the VCD of a simulator.

Format: GTKWave's manual, appendix "FST file format" and `fstapi.c`, which wrote it first. One section holds all
changes, compressed by zlib. Verilator can write FST itself only where headers of lz4 and zlib are installed.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from accelsim.errors import AccelsimError

HEADER, GEOMETRY, HIERARCHY, CHANGES = 0, 3, 4, 8  # kinds of sections
SCOPE, UPSCOPE, MODULE = 254, 255, 0
WIRE = 16
KINDS = {"integer": 1, "parameter": 2, "reg": 5, "wire": WIRE}
ENDIAN = 2.7182818284590452354  # stands in the header: a reader finds out the order of its bytes
LEVELS = "xz"  # beside 0 and 1, in the order of their numbers
Retime = Callable[[int], int]


@dataclass
class _Trace:
    """One variable: its number, from 1, value at time 0, later changes encoded, and the place of the last of them."""

    number: int
    width: int
    first: str
    last: int = 0
    data: bytearray = field(default_factory=bytearray)

    def change(self, at: int, value: str) -> None:
        """It becomes `value` at place `at` of the table of times."""
        self.data += self.encoded(at - self.last, value)
        self.last = at

    def encoded(self, later: int, value: str) -> bytes:
        if self.width > 1 and not value.isdigit():
            return _varint(later << 1 | 1) + value.encode()
        if self.width > 1:
            padded = int(value, 2) << -self.width % 8
            return _varint(later << 1) + padded.to_bytes(-(-self.width // 8), "big")
        if value in LEVELS:
            return _varint(later << 4 | LEVELS.index(value) << 1 | 1)
        return _varint(later << 2 | int(value) << 1)


def fst_bytes(vcd: Iterable[str], exponent: int, retime: Retime) -> bytes:
    """An FST file with all that is in the lines of a VCD.

    Args:
        exponent: the unit of time is 10 ** exponent seconds.
        retime: gives the time in that unit for a time of the VCD, none earlier for a later one; what is before 0 shows
            as the state at 0.

    Raises:
        AccelsimError: what neither Verilator nor Icarus writes for generated Verilog, such as a real number.
    """
    lines = iter(vcd)
    traces: dict[str, _Trace] = {}
    hierarchy, scopes, variables = _declared(lines, traces)
    times = _changed(lines, traces, retime)
    numbered = list(traces.values())
    changes = _changes(numbered, times)
    counts = (scopes, variables, len(traces), 1)
    head = struct.pack(">QQ", 0, times[-1]) + struct.pack("<d", ENDIAN) + struct.pack(">5Q", 1 << 20, *counts)
    head += struct.pack(">b128s119sBq", exponent, b"accelsim", b"", 0, 0)
    widths = b"".join(_varint(trace.width) for trace in numbered)
    return b"".join(
        [
            _section(HEADER, head),
            _section(CHANGES, changes),
            _section(GEOMETRY, struct.pack(">QQ", len(widths), len(numbered)) + _smaller(widths)),
            _section(HIERARCHY, struct.pack(">Q", len(hierarchy)) + gzip.compress(hierarchy, mtime=0)),
        ]
    )


def _declared(lines: Iterator[str], traces: dict[str, _Trace]) -> tuple[bytes, int, int]:
    """The tree of scopes and variables, encoded, and how many there are of each; fills `traces` by code."""
    found, scopes, variables = bytearray(), 0, 0
    for line in lines:
        match line.split():
            case ["$scope", _, name, "$end"]:
                found += bytes([SCOPE, MODULE]) + name.encode() + b"\0\0"
                scopes += 1
            case ["$upscope", "$end"]:
                found.append(UPSCOPE)
            case ["$var", kind, width, code, *name, "$end"]:
                if kind not in KINDS:
                    raise AccelsimError(f"waves: must be of wires and registers, not {kind} {' '.join(name)}")
                found += bytes([KINDS[kind], 0]) + " ".join(name).encode() + b"\0" + _varint(int(width))
                found += _varint(traces[code].number if code in traces else 0)
                variables += 1
                traces.setdefault(code, _Trace(len(traces) + 1, int(width), "x" * int(width)))
            case ["$enddefinitions", "$end"]:
                return bytes(found), scopes, variables
    raise AccelsimError("waves: the simulator left no complete VCD")


def _changed(lines: Iterator[str], traces: dict[str, _Trace], retime: Retime) -> list[int]:
    """Encode all changes; gives the table of times, which begins with 0."""
    times = [0]
    for line in lines:
        if line[0] == "#":
            now = retime(int(line[1:]))
            if now > times[-1]:
                times.append(now)
            continue
        if line[0] in "01xz":
            trace, value = traces[line[1:].strip()], line[0]
        elif line[0] == "b":
            digits, code = line[1:].split()
            trace = traces[code]
            value = digits.rjust(trace.width, digits[0] if digits[0] in LEVELS else "0")
        elif line[0] == "r":
            raise AccelsimError(f"waves: must be of wires and registers, not {line.strip()}")
        else:
            continue
        if len(times) == 1:
            trace.first = value
        else:
            trace.change(len(times) - 1, value)
    return times


def _changes(traces: list[_Trace], times: list[int]) -> bytes:
    """The section of changes: values at the beginning, changes by variable, where each begins, and the times."""
    first = "".join(trace.first for trace in traces).encode()
    packed = _smaller(first)
    body, places, before, traversed = bytearray(b"Z"), bytearray(), 0, 0
    for trace in traces:
        places += _signed((len(body) - before) << 1 | 1)
        before = len(body)
        data = trace.encoded(0, trace.first) + trace.data
        traversed += len(data)
        small = zlib.compress(data)
        body += _varint(len(data)) + small if len(small) < len(data) else b"\0" + data
    steps = b"".join(_varint(after - time) for time, after in zip([0, *times], times, strict=False))
    table = _smaller(steps)
    return b"".join(
        [
            struct.pack(">QQQ", times[0], times[-1], traversed),
            *(_varint(number) for number in (len(first), len(packed), len(traces))),
            packed,
            _varint(len(traces)),
            body,
            places,
            struct.pack(">Q", len(places)),
            table,
            struct.pack(">QQQ", len(steps), len(table), len(times)),
        ]
    )


def _section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + struct.pack(">Q", len(content) + 8) + content


def _smaller(plain: bytes) -> bytes:
    """Compressed where that is shorter: readers compare the lengths."""
    small = zlib.compress(plain)
    return small if len(small) < len(plain) else plain


def _varint(number: int) -> bytes:
    """Seven bits in each byte, the lowest first."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _signed(number: int) -> bytes:
    """The same with a sign: the second highest bit of the last byte repeats itself."""
    found = bytearray()
    while not -64 <= number < 64:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number & 127)
    return bytes(found)
