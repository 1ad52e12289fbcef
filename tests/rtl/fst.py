"""A reader of FST files, by the description of the format: what it gives owes nothing to what writes them."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator

SCOPE, UPSCOPE = 254, 255
Changes = dict[int, list[tuple[int, str]]]


def varints(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0


def sections(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at < len(data):
        (length,) = struct.unpack_from(">Q", data, at + 1)
        found[data[at]] = data[at + 9 : at + 1 + length]
        at += 1 + length
    assert at == len(data)
    return found


def whole(data: bytes, length: int) -> bytes:
    return data if len(data) == length else zlib.decompress(data)


def read(data: bytes, widths: list[int]) -> Changes:
    """All changes of each variable, by the description of the format."""
    body = sections(data)[8]
    plain, packed, number = struct.unpack(">QQQ", body[-24:])
    times, now = [], 0
    for step in varints(whole(body[-24 - packed : -24], plain)):
        now += step
        times.append(now)
    assert len(times) == number
    end = len(body) - 24 - packed - 8
    (length,) = struct.unpack_from(">Q", body, end)
    places, place, numbers = [], 0, varints(body[end - length : end])
    for raw, size in zip(numbers, sizes(body[end - length : end]), strict=True):
        place += (raw - (1 << 7 * size) if raw >> (7 * size - 1) else raw) >> 1
        places.append(place)
    frame = [next(varints(body[24:]))]
    begin = 24
    for _ in range(3):
        frame.append(next(varints(body[begin:])))
        begin += sizes(body[begin:])[0]
    begin += frame[2]  # packed values at the beginning
    begin += sizes(body[begin:])[0]
    found: Changes = {}
    for trace, (one, other) in enumerate(zip(places, [*places[1:], end - length - begin], strict=True)):
        found[trace] = list(changes(body[begin + one : begin + other], widths[trace], times))
    return found


def sizes(data: bytes) -> list[int]:
    """Bytes of each number."""
    ends = [place for place, byte in enumerate(data) if byte < 128]
    return [end - before for before, end in zip([-1, *ends], ends, strict=False)]


def changes(chunk: bytes, width: int, times: list[int]) -> Iterator[tuple[int, str]]:
    size = sizes(chunk)[0]
    plain, rest = next(varints(chunk)), chunk[size:]
    data, place, at = zlib.decompress(rest) if plain else rest, 0, 0
    while at < len(data):
        word, at = next(varints(data[at:])), at + sizes(data[at:])[0]
        if width == 1:
            place += word >> 4 if word & 1 else word >> 2
            yield times[place], "xz"[word >> 1 & 7] if word & 1 else str(word >> 1 & 1)
            continue
        place += word >> 1
        length = width if word & 1 else -(-width // 8)
        bits = data[at : at + length]
        at += length
        yield times[place], bits.decode() if word & 1 else "".join(f"{byte:08b}" for byte in bits)[:width]


def variables(data: bytes) -> dict[str, tuple[int, int]]:
    """Number and width of every variable, by the names of its scopes and its own, joined by points."""
    tree = gzip.decompress(sections(data)[4][8:])
    found: dict[str, tuple[int, int]] = {}
    scopes: list[str] = []
    at = handles = 0
    while at < len(tree):
        if tree[at] == UPSCOPE:
            scopes.pop()
            at += 1
            continue
        name, _, rest = tree[at + 2 :].partition(b"\0")
        if tree[at] == SCOPE:
            scopes.append(name.decode())
            at = len(tree) - len(rest.partition(b"\0")[2])
            continue
        width, alias = next(varints(rest)), next(varints(rest[sizes(rest)[0] :]))
        handles += not alias
        found[".".join((*scopes, name.decode()))] = (alias or handles) - 1, width
        at = len(tree) - len(rest) + sum(sizes(rest)[:2])
    return found


def changes_of(data: bytes, name: str) -> list[tuple[int, str]]:
    """Times and values of the variable whose path ends so."""
    known = variables(data)
    widths = dict(known.values())
    ((number, _),) = {place for path, place in known.items() if path.endswith(name)}
    return read(data, [widths[each] for each in sorted(widths)])[number]
