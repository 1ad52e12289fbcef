"""The formulas of the study for its designs, written down independently of the package (`docs/fusemax.md` quotes them).

b pairs of batch and head, L keys and queries, E elements of a query and a key, F of a value, n the side of the array,
U = b (L/n)^2 blocks, V = b L/n columns of blocks, all words of 2 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

N = 256
WORD = 2
HZ = 940_000_000
BANDWIDTH = 400 * 2**30
TILING_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Form:
    """Cycles without regard to memory, off-chip bytes, and rows of N words read from and written to the buffer."""

    cycles: int
    bytes: int
    read_rows: Fraction
    written_rows: Fraction

    @property
    def seconds(self) -> Fraction:
        return max(Fraction(self.cycles, HZ), Fraction(self.bytes, BANDWIDTH))


def tiles(length: int, e: int, f: int, extra: int) -> int:
    """P1: the largest divisor of L/n whose rows of Q, the running state and `extra` words a row fit beside K and V."""
    blocks = length // N
    row = WORD * (e + 2 + f + extra)
    room = (TILING_BYTES - WORD * N * (e + f)) // (row * N)
    return max(d for d in range(1, blocks + 1) if blocks % d == 0 and d <= room)


def one_pass(design: str, b: int, length: int, e: int, f: int) -> Form:
    """The three designs that run the one-pass cascade."""
    u, v = b * (length // N) ** 2, b * (length // N)
    extra = 2 * N if design == "fusemax-cascade" else 0
    sweeps = length // N // tiles(length, e, f, extra)
    words = b * length * e + b * sweeps * length * (e + f) + b * length * f
    return Form(
        cycles=CYCLES[design](u, v, e, f),
        bytes=WORD * words,
        read_rows=Fraction(u * (2 * e + 2 * f + 2 + extra) + v * (f + 1)),
        written_rows=Fraction(b * length * e + b * sweeps * length * (e + f), N) + u * (f + 2 + extra),
    )


def _cascade(u: int, v: int, e: int, f: int) -> int:
    return max(u * (e + f), u * (4 * N + 2 * f + 5) + v * f)


def _architecture(u: int, v: int, e: int, f: int) -> int:
    return max(u * (e + 1), u + v * f) + N * u + u + 8 * u + max(u * f, 2 * u * f)


def _binding(u: int, v: int, e: int, f: int) -> int:
    return max(u * (e + 1), u * (f + 1) + v * f) + u + 8 * u + u * f


CYCLES = {"fusemax-cascade": _cascade, "fusemax-arch": _architecture, "fusemax": _binding}


def unfused_cycles(b: int, length: int, e: int, f: int) -> tuple[int, int, int]:
    """Cycles of scores, softmax and values."""
    u = b * (length // N) ** 2
    return u * e, 4 * N * u, u * f


def flat_cycles(b: int, length: int, e: int) -> int:
    """Four operations of a score on the vector array against both products on the other; output stationary."""
    u = b * (length // N) ** 2
    return max(4 * N * u, u * e + N * u)
