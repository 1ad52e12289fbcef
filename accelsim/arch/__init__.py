"""Architectures: YAML to levels, units and component tables."""

from accelsim.arch.load import find_archs, load_arch
from accelsim.arch.model import Arch, Component, Level, Op, Port, Unit

__all__ = ["Arch", "Component", "Level", "Op", "Port", "Unit", "find_archs", "load_arch"]
