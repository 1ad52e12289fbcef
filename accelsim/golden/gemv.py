"""The GEMV unit, bit for bit: BF16 products, a tree of FP32 additions over lanes, then one addition per beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.golden.floating import Singles, Words, add, multiply, singles_to_codes


def gemv(lanes: int, weights: ArrayLike, vectors: ArrayLike) -> Words:
    """Weights [rows, depth] times vectors [vectors, depth], BF16 codes; codes of FP32 sums [vectors, rows].

    The depth is cut into beats of `lanes` elements, the last filled up with zeros. Products of a beat are added by
    `lane_sum`, sums of beats one after the other: ((beat 0 + beat 1) + beat 2) + ...

    >>> [hex(code) for code in gemv(2, [[0x3F80, 0x4000, 0x4040]], [[0x3F80, 0x3F80, 0x4040]]).flat]  # 1 + 2 + 3 * 3
    ['0x41400000']

    Raises:
        AccelsimError: fewer lanes than one, arrays of other shapes, or what is no BF16 code.
    """
    if lanes < 1:
        raise AccelsimError(f"lanes must be at least 1, not {lanes}")
    w, x = np.asarray(weights), np.asarray(vectors)
    if w.ndim != 2 or x.ndim != 2 or w.shape[1] != x.shape[1] or not w.size or not x.size:
        raise AccelsimError(f"weights {list(w.shape)} and vectors {list(x.shape)} must share a depth of at least 1")
    beats = lane_sum(multiply(in_beats(x, lanes)[:, None], in_beats(w, lanes)))
    total = beats[..., 0]
    for beat in range(1, beats.shape[-1]):
        total = add(total, beats[..., beat])
    return singles_to_codes(total)


def in_beats(codes: NDArray[np.int64], lanes: int) -> NDArray[np.int64]:
    """[..., depth] as [..., beats, lanes], zeros behind the last element."""
    spare = -codes.shape[1] % lanes
    return np.pad(codes, ((0, 0), (0, spare))).reshape(len(codes), -1, lanes)


def lane_sum(products: Singles) -> Singles:
    """The sum over the last axis: neighbours in pairs, level by level; one without a neighbour goes on as it is.

    Of five: ((0 + 1) + (2 + 3)) + 4.
    """
    while products.shape[-1] > 1:
        pairs = products.shape[-1] // 2
        merged = add(products[..., : 2 * pairs : 2], products[..., 1 : 2 * pairs : 2])
        products = np.concatenate([merged, products[..., 2 * pairs :]], axis=-1)
    return products[..., 0]
