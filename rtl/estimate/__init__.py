"""What a design would take: cells of FPGAs, gates, and area and delay in a cell library, by synthesis alone.

Nothing here is placed or routed, and no wire has a length. `family.py` and `gates.py` say how each figure is come by.
"""

from rtl.estimate.family import FAMILIES, find_family, fpga_flow
from rtl.estimate.gates import gates_flow, library_flow
from rtl.estimate.library import DEBIAN, Library, debian_library, read_library
from rtl.estimate.synthesis import Estimate, Flow, estimate

__all__ = [
    "DEBIAN",
    "FAMILIES",
    "Estimate",
    "Flow",
    "Library",
    "debian_library",
    "estimate",
    "find_family",
    "fpga_flow",
    "gates_flow",
    "library_flow",
    "read_library",
]
