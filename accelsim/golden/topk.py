"""Top-k engines, bit for bit: which scores are kept, in the order in which they came; of equal ones the first."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.golden.fixed import Codes


def topk_stable(scores: ArrayLike, k: int) -> Codes:
    """Indices, ascending, of the k largest scores [n]; all where there are no more.

    With the k-th largest as threshold: all above it, and as many of those that equal it as are missing, the first.

    >>> topk_stable([5, 9, 5, 7, 5], 3).tolist()
    [0, 1, 3]

    Raises:
        AccelsimError: scores that are no vector of integers, or a k below 0.
    """
    given: NDArray[np.generic] = np.asarray(scores)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise AccelsimError(f"scores must be a vector of integers, not {given.dtype} of shape {list(given.shape)}")
    if k < 0:
        raise AccelsimError(f"k must be at least 0, not {k}")
    wanted = min(k, given.size)
    if not wanted:
        return np.zeros(0, np.int64)
    threshold = np.partition(given, given.size - wanted)[given.size - wanted]
    above, equal = given > threshold, given == threshold
    missing = wanted - int(above.sum())
    return np.flatnonzero(above | equal & (np.cumsum(equal) <= missing))
