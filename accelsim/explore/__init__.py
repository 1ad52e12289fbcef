"""Design-space sweeps: points from a file, runs that resume, their store, fronts, and architectures side by side."""

from accelsim.explore.comparison import Comparison, compare
from accelsim.explore.pareto import design_fronts, pareto_front
from accelsim.explore.run import read_run, run_sweep
from accelsim.explore.store import Row
from accelsim.explore.sweep import Point, Sweep, find_sweeps, load_sweep

__all__ = [
    "Comparison",
    "Point",
    "Row",
    "Sweep",
    "compare",
    "design_fronts",
    "find_sweeps",
    "load_sweep",
    "pareto_front",
    "read_run",
    "run_sweep",
]
