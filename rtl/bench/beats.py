"""Payloads of a stream to and from numpy: `pack` makes the integers that go over the wires, `unpack` reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data
from numpy.typing import NDArray

from accelsim.errors import AccelsimError

Beats = tuple[int, ...]
Bits = NDArray[np.uint8]
LONGEST_INT64 = 63


def pack(shape: ShapeLike, values: Any) -> Beats:
    """One integer per payload.

    `values` has the form of `shape`: an array [payloads] of integers for a plain one, [payloads, length, ...] for an
    array, and a mapping of fields to such values for a structure. Raises AccelsimError for a value out of range.
    """
    bits = _to_bits(shape, values)
    rows = np.packbits(bits, axis=1, bitorder="little")
    return tuple(int.from_bytes(row.tobytes(), "little") for row in rows)


def unpack(shape: ShapeLike, beats: Sequence[int]) -> Any:
    """The values in payloads, in the form that `pack` takes: int64, or Python integers where 63 bits are not enough."""
    width = Shape.cast(shape).width
    size = -(-width // 8)
    flat = np.frombuffer(b"".join(beat.to_bytes(size, "little") for beat in beats), np.uint8)
    bits = np.unpackbits(flat.reshape(len(beats), size), axis=1, bitorder="little")
    return _from_bits(shape, bits[:, :width])


def _layout(shape: ShapeLike) -> data.Layout | None:
    """The layout of a shape that has parts."""
    try:
        return data.Layout.cast(shape)
    except TypeError:
        return None


def _to_bits(shape: ShapeLike, values: Any) -> Bits:
    layout = _layout(shape)
    if layout is None:
        return _integer_bits(Shape.cast(shape), np.asarray(values))
    parts = [(field, _part(layout, key, values)) for key, field in layout]
    columns = [(field, _to_bits(field.shape, part)) for field, part in parts]
    bits = np.zeros((len(columns[0][1]) if columns else 0, layout.size), np.uint8)
    for field, column in columns:
        bits[:, field.offset : field.offset + field.width] = column
    return bits


def _part(layout: data.Layout, key: str | int, values: Any) -> Any:
    """What belongs into one field. AccelsimError where a structure's values lack it."""
    if isinstance(layout, data.ArrayLayout):
        return np.asarray(values)[:, int(key)]
    if not isinstance(values, Mapping) or key not in values:
        raise AccelsimError(f'payload: has no values for the field "{key}"')
    return values[key]


def _integer_bits(shape: Shape, values: NDArray[Any]) -> Bits:
    low = -(1 << (shape.width - 1)) if shape.signed and shape.width else 0
    high = (1 << (shape.width - int(shape.signed))) - 1 if shape.width else 0
    wrong = values[(values < low) | (values > high)]
    if len(wrong):
        raise AccelsimError(f'payload: must be from {low} to {high} for {shape!r}, got "{wrong[0]}"')
    kind = np.int64 if shape.width <= LONGEST_INT64 else object
    places = np.arange(shape.width).astype(kind)
    bits: Bits = ((values.astype(kind)[:, None] >> places) & 1).astype(np.uint8)
    return bits


def _from_bits(shape: ShapeLike, bits: Bits) -> Any:
    layout = _layout(shape)
    if layout is None:
        return _integers(Shape.cast(shape), bits)
    parts = {key: _from_bits(field.shape, bits[:, field.offset : field.offset + field.width]) for key, field in layout}
    return np.stack(list(parts.values()), axis=1) if isinstance(layout, data.ArrayLayout) else parts


def _integers(shape: Shape, bits: Bits) -> NDArray[Any]:
    kind = np.int64 if shape.width <= LONGEST_INT64 else object
    weights = np.array([1 << place for place in range(shape.width)], kind)
    if shape.signed and shape.width:
        weights[-1] = -(1 << (shape.width - 1))
    return np.asarray(bits.astype(kind) @ weights)
