"""The integer systolic array: outputs or weights stay in its elements, operands move one element per edge.

`form` has its parameters and payloads, `element` the processing elements, `grid` puts them together with the registers
around them, and `array` is the unit: streams, and when a job may enter.
"""

from rtl.systolic.array import SystolicArray
from rtl.systolic.form import ArrayForm, left_layout, result_layout, right_layout

__all__ = ["ArrayForm", "SystolicArray", "left_layout", "result_layout", "right_layout"]
