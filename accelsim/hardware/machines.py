"""Which architectures describe a machine that runs instructions; nothing that needs a tool to be installed."""

from __future__ import annotations

from accelsim.arch import Arch
from accelsim.program.lower.engine import engine_of
from accelsim.units.engines import ARRAY, FUSE


def is_machine(arch: Arch) -> bool:
    """Whether some unit of an architecture is an array engine, of either kind."""
    return any(engine_of(unit.rtl) in (ARRAY, FUSE) for unit in arch.units.values())
