"""What attention costs on hardware, and why: one description of the algorithm, one of the machine, one result.

The public names are loaded when they are first used, so that `import accelsim` costs nothing.

>>> import accelsim
>>> accelsim.simulate(accelsim.load_arch("edge"), accelsim.load_workload("bert", ["L=1024"])).depth
'analytic'
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from accelsim.version import VERSION

if TYPE_CHECKING:
    from accelsim.analyze import Analysis, analyze
    from accelsim.arch import Arch, load_arch
    from accelsim.errors import AccelsimError
    from accelsim.explore import compare, run_sweep
    from accelsim.mapper.choose import find_mapping
    from accelsim.mapping import Mapping, load_mapping
    from accelsim.report import write_report
    from accelsim.result import Result
    from accelsim.simulate import simulate
    from accelsim.validation import validate
    from accelsim.workload import Workload, load_workload

__version__ = VERSION
_HOMES = {
    "AccelsimError": "errors",
    "Analysis": "analyze",
    "Arch": "arch",
    "Mapping": "mapping",
    "Result": "result",
    "Workload": "workload",
    "analyze": "analyze",
    "compare": "explore",
    "find_mapping": "mapper.choose",
    "load_arch": "arch",
    "load_mapping": "mapping",
    "load_workload": "workload",
    "run_sweep": "explore",
    "simulate": "simulate",
    "validate": "validation",
    "write_report": "report",
}
__all__ = [
    "AccelsimError",
    "Analysis",
    "Arch",
    "Mapping",
    "Result",
    "Workload",
    "__version__",
    "analyze",
    "compare",
    "find_mapping",
    "load_arch",
    "load_mapping",
    "load_workload",
    "run_sweep",
    "simulate",
    "validate",
    "write_report",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps `simulate` and `analyze` the functions: importing the modules of those names would bind the modules."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
