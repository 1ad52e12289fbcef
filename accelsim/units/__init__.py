"""When a unit gives its outputs and takes its next job: one pure timing function per unit, derived from its structure.

`catalog` names them all; `pe_array` moves the registers of a systolic array edge by edge and so proves its function.
"""

from accelsim.units.catalog import UNITS, Unit, find_unit
from accelsim.units.timing import Timing

__all__ = ["UNITS", "Timing", "Unit", "find_unit"]
