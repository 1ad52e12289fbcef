"""Traces: a request a line, `ADDRESS R|W [ARRIVAL]`, an address in bytes (decimal or 0x), an arrival in ticks.

Blank lines and what follows a `#` are skipped. Every line has an arrival or none has; arrivals never go back.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from accelsim.errors import AccelsimError, Mark
from accelsim.memory.addresses import bank_of, decode
from accelsim.memory.model import Device, Integers, Requests

NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,15}|[0-9]{1,18}")
WORD = re.compile(r"\S+")
KINDS = {"R": 0, "W": 1}
MOST = 20_000_000
LONGEST_LINE = 1000


def read_trace(path: Path, device: Device) -> dict[int, Requests]:
    """The requests of a file by channel, in the order of the file; channels without any are left out.

    Raises:
        AccelsimError: a line that is no request, an address that the device does not have, with file and line; no
            requests at all.
    """
    addresses, kinds, arrivals = array("q"), array("q"), array("q")
    columns, last = 0, 0
    for mark, words in _lines(path):
        if len(words) not in (2, 3):
            raise AccelsimError(f"a request is ADDRESS R|W [ARRIVAL], got {len(words)} words", mark)
        columns = columns or len(words)
        if len(words) != columns:
            expected = "an arrival, as the lines above have" if columns == 3 else "no arrival, as the lines above"
            raise AccelsimError(f"expected {expected}", mark)
        addresses.append(_address(words[0], device, mark))
        if words[1].upper() not in KINDS:
            raise AccelsimError(f'must be R or W, got "{words[1][:20]}"', _column(mark, words, 1))
        kinds.append(KINDS[words[1].upper()])
        arrivals.append(_number(words[2], _column(mark, words, 2)) if columns == 3 else 0)
        if arrivals[-1] < last:
            raise AccelsimError(f"arrival {arrivals[-1]} is before that of a line above, {last}", mark)
        last = arrivals[-1]
        if len(addresses) > MOST:
            raise AccelsimError(f"more than {MOST} requests in one trace", mark)
    if not addresses:
        raise AccelsimError(f"{path}: holds no requests")
    return _by_channel(device, *(np.array(part, np.int64) for part in (addresses, kinds, arrivals)))


def _lines(path: Path) -> Iterator[tuple[Mark, list[str]]]:
    """The words of every line that has some, with the place of the first."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise AccelsimError(f"longer than {LONGEST_LINE} characters", Mark(str(path), number, 1))
                said = line.partition("#")[0]
                if words := said.split():
                    yield Mark(str(path), number, len(said) - len(said.lstrip()) + 1), words
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not a path"
        raise AccelsimError(f"{path}: {reason}") from None


def _column(mark: Mark, words: list[str], at: int) -> Mark:
    """The place of a word where one blank stands between words, which is near enough where several do."""
    return Mark(mark.source, mark.line, mark.column + sum(len(word) + 1 for word in words[:at]))


def _number(word: str, mark: Mark) -> int:
    if not NUMBER.fullmatch(word):
        raise AccelsimError(f'must be a number such as 4096 or 0x1000, got "{word[:20]}"', mark)
    return int(word, 0) if word[:2] in ("0x", "0X") else int(word)


def _address(word: str, device: Device, mark: Mark) -> int:
    address, size = _number(word, mark), device.organisation.bytes
    if address >= size:
        raise AccelsimError(f"address {word} is outside the {size:#x} bytes of {device.organisation.name}", mark)
    return address


def _by_channel(device: Device, addresses: Integers, kinds: Integers, arrivals: Integers) -> dict[int, Requests]:
    fields = decode(device.address_map, addresses // device.organisation.burst_bytes)
    bank = bank_of(device.organisation, fields)
    found = {}
    for channel in np.unique(fields["ch"]).tolist():
        own = fields["ch"] == channel
        found[channel] = Requests(bank[own], fields["ro"][own], kinds[own], arrivals[own])
    return found
