"""The array engine: what a MATMUL reads from scratchpads and writes into them, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.golden.fixed import Codes
from accelsim.golden.systolic import ArrayWidths, multiply
from accelsim.program.instruction import Instruction

SCORES, WEIGHED = ArrayWidths(8, 8, 32), ArrayWidths(16, 8, 32)
"""Widths of Q x K and of P x V."""


@dataclass(frozen=True)
class Pads:
    """What the engine reads, as codes.

    Attributes:
        q: [queries of a tile, words, elements of a word].
        k: [keys of a tile, words, elements of a word].
        v: [keys of a tile, words, elements of a word].
        p: [queries of a tile, words, keys of a tile].
    """

    q: Codes
    k: Codes
    v: Codes
    p: Codes


@dataclass(frozen=True)
class Rows:
    """What it writes, in order: the pad, the word of each row, and the rows [rows, keys of a tile]."""

    pad: Literal["s", "pv"]
    words: Codes
    sums: Codes


def matmul(pads: Pads, instruction: Instruction) -> Rows:
    """A MATMUL: with flag `transpose` Q x K into the S pad, without it P x V, fold by fold, into the PV pad.

    Elements of a bank are numbered through all its words from the instruction's base on. Sums over the first `imm` of
    them; without any they are 0. Each fold of Q x K is the same again.

    Raises:
        AccelsimError: operands beyond the end of a pad, or more keys for P x V than a tile has.
    """
    args = {name: instruction.args.get(name, 0) for name in ("a", "b", "dst", "imm", "cols")}
    beats, folds, (queries, keys) = args["imm"], max(args["cols"], 1), (len(pads.q), len(pads.k))
    if "transpose" in instruction.flags:
        pad: Literal["s", "pv"] = "s"
        right = _elements("K", pads.k, args["b"], beats)
        sums = np.tile(_product(SCORES, _elements("Q", pads.q, args["a"], beats), right.T), (folds, 1))
    else:
        pad = "pv"
        if beats > keys:
            raise AccelsimError(f"imm: must be at most the {keys} keys of a tile for P x V, got {beats}")
        right = _elements("V", pads.v, args["b"], folds * keys)[:beats]
        wide = _product(WEIGHED, _elements("P", pads.p, args["a"], beats), right)
        sums = wide.reshape(queries, folds, keys).swapaxes(0, 1).reshape(folds * queries, keys)
    return Rows(pad, args["dst"] + np.arange(len(sums)), sums)


def _elements(name: str, pad: Codes, word: int, number: int) -> Codes:
    """So many elements of each bank from a word on: [banks, number]."""
    found = pad[:, word:].reshape(len(pad), -1)[:, :number]
    if found.shape[1] < number:
        raise AccelsimError(f"{number} elements from word {word} on: {name} has {pad.shape[1]} words of {pad.shape[2]}")
    return found


def _product(widths: ArrayWidths, left: Codes, right: Codes) -> Codes:
    """The product, or zeros where there is nothing to add up."""
    return multiply(widths, left, right) if left.shape[1] else np.zeros((len(left), right.shape[1]), np.int64)
