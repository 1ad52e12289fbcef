"""Timing of a vector unit with online softmax: rows of scores, tile by tile of keys, P and factors out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accelsim.errors import AccelsimError
from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

MOST_STAGES = 1024
STORE = 1  # edges from the last beat of a tile in the store to its first beat out of it
TOTAL = 1  # the register of a tile's sum
DENOMINATOR = 1  # the register of the denominator


@dataclass(frozen=True)
class SoftmaxParams(Checked):
    """The unit. Each number of stages is one of registers behind a step."""

    tile: Annotated[int, Size("keys of a tile, a multiple of lanes")]
    lanes: Annotated[int, Size("keys per beat")] = 1
    maximum_stages: Annotated[int, Size("edges of one level of the tree of maxima", 0, MOST_STAGES)] = 1
    difference_stages: Annotated[int, Size("edges of a score less the tile's maximum", 0, MOST_STAGES)] = 1
    range_stages: Annotated[int, Size("edges of the range reduction of exp", 0, MOST_STAGES)] = 1
    lookup_stages: Annotated[int, Size("edges to look up a segment of exp", 0, MOST_STAGES)] = 1
    horner_stages: Annotated[int, Size("edges of the Horner step of exp", 0, MOST_STAGES)] = 1
    shift_stages: Annotated[int, Size("edges of the shift of exp", 0, MOST_STAGES)] = 1
    sum_stages: Annotated[int, Size("edges of one level of the adder tree of P", 0, MOST_STAGES)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tile % self.lanes:
            raise AccelsimError(f'tile: must be a multiple of lanes, {self.lanes}, got "{self.tile}"')


@dataclass(frozen=True)
class Scores(Checked):
    """The job: one row of scores."""

    keys: Annotated[int, Size("keys of the row, masked ones included")]


def timing(params: SoftmaxParams, shape: Scores) -> Timing:
    """tile / lanes beats enter for each of ceil(keys / tile) tiles, one per edge; a row is filled up to whole tiles.

    P is against the maximum of its tile, so the first beat of a tile leaves the store when the last has entered:
    tile / lanes - 1 edges, ceil(log2(lanes)) levels of the tree of maxima, and the edge at which the store is
    written. Then a beat passes the difference, the four steps of exp, ceil(log2(lanes)) levels of the adder tree, and
    the registers of the tile's sum and of the denominator. All beats of all tiles leave, one per edge, as they entered:
    while one tile leaves the store, the next fills it.

    Source: structure. Assumes no stall.
    """
    beats = params.tile // params.lanes
    tiles = ceil_div(shape.keys, params.tile)
    levels = (params.lanes - 1).bit_length()
    exp = params.range_stages + params.lookup_stages + params.horner_stages + params.shift_stages
    stored = beats - 1 + levels * params.maximum_stages + STORE
    first = stored + params.difference_stages + exp + levels * params.sum_stages + TOTAL + DENOMINATOR
    return Timing(first, first + tiles * beats - 1, tiles * beats)
