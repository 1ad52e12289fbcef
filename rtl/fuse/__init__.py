"""The array that does a tile's softmax itself: Q x K, maximum, exp, sum and P x V in one grid of elements.

`form` has its parameters, steps and payloads, `polynomial` the coefficients of exp, `element` the processing element,
`grid` puts elements together with the registers around them, and `array` is the unit: streams, and what enters when.
"""

from rtl.fuse.array import FuseArray
from rtl.fuse.element import FusePe
from rtl.fuse.form import FuseForm, Step, left_layout, result_layout, top_layout

__all__ = ["FuseArray", "FuseForm", "FusePe", "Step", "left_layout", "result_layout", "top_layout"]
