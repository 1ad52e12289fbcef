"""How a coordinate is collapsed when points are counted: digits by nested tiles, kept, shared by lanes or dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Fold:
    """The image of a coordinate c: a tuple of digits, outer to inner.

    Digit i is `c // tile` within the tile outside it (the outermost has no limit), and its image `digit // width`:
    width 1 keeps it (a temporal loop), a larger one is an array's extent (the image is the index of the pass over the
    array), None drops it. What is left inside the last tile is dropped. A size need not be a multiple of the tiles.

    Attributes:
        digits: (tile, width), each tile a divisor of the one before it.

    >>> Fold(((1024, 1), (256, 1), (1, 256))).count(2000)  # tiles of 1024 and 256; 256 lanes share the innermost
    8
    """

    digits: tuple[tuple[int, int | None], ...]

    def __post_init__(self) -> None:
        outside = 0
        for tile, width in self.digits:
            if tile < 1 or outside % tile or (width is not None and width < 1):
                raise AccelsimError(
                    f"a fold needs positive tiles that divide each other, and widths, got {self.digits}"
                )
            outside = tile

    def _levels(self, size: int) -> Iterator[tuple[int | None, int, int | None, int]]:
        """Per digit: the tile outside it, its tile, its width and how many images it has within the tile outside."""
        outside = None
        for tile, width in self.digits:
            extent = -(-(size if outside is None else outside) // tile)
            yield outside, tile, width, 1 if width is None else -(-extent // width)
            outside = tile

    def count(self, size: int) -> int:
        """The number of distinct images of 0 .. size-1."""
        if not self.digits or size < 1:
            return min(size, 1)
        (tile, width), *inner = self.digits
        rest = Fold(tuple(inner))
        whole, part = divmod(size, tile)
        alone = part > 0 and (whole == 0 if width is None else whole % width == 0)
        rows = min(whole, 1) if width is None else -(-whole // width)
        return rows * rest.count(tile) + (rest.count(part) if alone else 0)

    def apply(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The images as one integer each, less than `places`, equal where the tuples are equal."""
        result = values * 0
        for outside, tile, width, images in self._levels(1):
            digit = (values if outside is None else values % outside) // tile
            result = result * images + (0 if width is None else digit // width)
        return result

    def places(self, size: int) -> int:
        """One more than the greatest integer that `apply` may give below `size`."""
        total = 1
        for *_, images in self._levels(size):
            total *= images
        return total

    def distinct(self, size: int) -> bool:
        """Whether no two of 0 .. size-1 have the same image."""
        return self.count(size) == size

    def keeps_order(self, size: int) -> bool:
        """Whether `apply` never falls and skips no integer as c rises: a range then maps to a range."""
        collapsed = False
        for outside, tile, width, images in self._levels(size):
            if collapsed and images > 1:
                return False
            extent = -(-(size if outside is None else outside) // tile)
            collapsed = collapsed or (width != 1 and extent > 1)
        return True


KEEP = Fold(((1, 1),))
DROP = Fold(())
