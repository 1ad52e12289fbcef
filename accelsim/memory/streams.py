"""Named streams of requests to one channel, and the generator that draws what is random in them.

Request i of N; R rows, C bursts a row, G bank groups of B banks. All lie in rank 0, and in pseudo-channel 0 unless the
name ends in `_2pc`: then i goes to pseudo-channel i mod P, as number i div P of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, nearest
from accelsim.memory.addresses import bank_of
from accelsim.memory.model import Integers, Organisation, Requests

MULTIPLIER, INCREMENT, SEED = 6364136223846793005, 1442695040888963407, 12345  # MMIX, Knuth
MOST = 20_000_000
SUFFIX = "_2pc"
Fields = Mapping[str, Integers]


def one_bank(at: Integers, shape: Organisation) -> Fields:
    """One row of one bank."""
    return {}


def one_row_a_group(at: Integers, shape: Organisation) -> Fields:
    """One row in every bank group, by turns."""
    return {"bg": at % shape.bank_groups}


def along_rows(at: Integers, shape: Organisation) -> Fields:
    """Along a row, then bank group, bank, row."""
    rows = at // shape.bursts
    return {**_spread(rows, shape), "ro": rows // (shape.bank_groups * shape.banks)}


def through_groups(at: Integers, shape: Organisation) -> Fields:
    """Through the bank groups, then along their rows, then bank, row."""
    rows = at // shape.bank_groups // shape.bursts
    return {"bg": at % shape.bank_groups, "ba": rows % shape.banks, "ro": rows // shape.banks}


def one_bank_new_row(at: Integers, shape: Organisation) -> Fields:
    """Another row of one bank every time."""
    return {"ro": at}


def every_bank_new_row(at: Integers, shape: Organisation) -> Fields:
    """Bank after bank, each time a new row."""
    return {**_spread(at, shape), "ro": at // (shape.bank_groups * shape.banks)}


def _spread(at: Integers, shape: Organisation) -> Fields:
    return {"bg": at % shape.bank_groups, "ba": at // shape.bank_groups % shape.banks}


REGULAR: dict[str, Callable[[Integers, Organisation], Fields]] = {
    "rowhit_1bank": one_bank,
    "rowhit_bg_rr": one_row_a_group,
    "seq_RoBaBgCo": along_rows,
    "seq_RoBaCoBg": through_groups,
    "bank_conflict": one_bank_new_row,
    "bank_rr_new_row": every_bank_new_row,
}
NAMES = tuple(name + suffix for name in (*REGULAR, "random") for suffix in ("", SUFFIX))


def make_stream(name: str, shape: Organisation, count: int, seed: int = SEED, reads: int = 100) -> Requests:
    """A named stream, all of it ready at tick 0.

    Args:
        seed: of `random`, and, one more, of which requests are writes.
        reads: percent of the requests that are reads.

    Raises:
        AccelsimError: no such stream; one for two pseudo-channels where there is one; a number out of range.
    """
    if name not in NAMES:
        raise AccelsimError(f'no stream named "{name}"{nearest(name, NAMES)}')
    if not 1 <= count <= MOST:
        raise AccelsimError(f"requests: must be from 1 to {MOST}, got {count}")
    if not 0 <= reads <= 100:
        raise AccelsimError(f"reads: must be from 0 to 100, got {reads}")
    spread = name.endswith(SUFFIX)
    if spread and shape.pseudo_channels == 1:
        raise AccelsimError(f'stream "{name}": {shape.name} has one pseudo-channel')
    fields = _fields(name.removesuffix(SUFFIX), shape, count, seed, spread)
    full = {field: np.zeros(count, np.int64) for field in ("pc", "ra", "bg", "ba", "ro")} | dict(fields)
    writes = (draw(seed + 1, count) % 100 >= reads).astype(np.int64)
    return Requests(bank_of(shape, full), full["ro"] % shape.rows, writes, np.zeros(count, np.int64))


def _fields(name: str, shape: Organisation, count: int, seed: int, spread: bool) -> Fields:
    if name == "random":
        sizes = {"bg": shape.bank_groups, "ba": shape.banks, "ro": shape.rows, "co": shape.bursts}
        sizes = ({"pc": shape.pseudo_channels} if spread else {}) | sizes
        drawn = draw(seed, count * len(sizes)).reshape(count, len(sizes))
        return {field: drawn[:, at] % size for at, (field, size) in enumerate(sizes.items())}
    at = np.arange(count)
    parts = shape.pseudo_channels if spread else 1
    return {"pc": at % parts, **REGULAR[name](at // parts, shape)}


def draw(seed: int, count: int) -> Integers:
    """Numbers below 2**31: the upper bits of s, s <- 6364136223846793005 s + 1442695040888963407 mod 2**64."""
    multiplier, increment = np.uint64(MULTIPLIER), np.uint64(INCREMENT)
    states: NDArray[np.uint64] = np.array([(MULTIPLIER * seed + INCREMENT) % 2**64], np.uint64)
    with np.errstate(over="ignore"):
        while len(states) < count:  # what is known once, that many steps on
            states = np.concatenate([states, states * multiplier + increment])
            multiplier, increment = multiplier * multiplier, multiplier * increment + increment
    return (states[:count] >> np.uint64(33)).astype(np.int64)
