"""`import accelsim`: public names, none of which costs anything before it is used, and which no module shadows."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
import tomllib
from types import FunctionType, ModuleType

import pytest

import accelsim
from tests.source import ROOT

FUNCTIONS = (
    *("load_arch", "load_workload", "load_mapping", "analyze", "simulate"),
    *("find_mapping", "compare", "run_sweep", "write_report", "validate"),
)
TYPES = ("Result", "Workload", "Arch", "Mapping", "Analysis", "AccelsimError")
HEAVY = {"numpy", "lark", "numba", "matplotlib", "networkx", "jinja2"}


def loaded_after(code: str) -> set[str]:
    """Top-level modules in a fresh process after running `code`."""
    script = f"import sys\n{code}\nprint('\\n' + ' '.join(sorted(n.split('.')[0] for n in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_public(name: str) -> None:
    assert isinstance(getattr(accelsim, name), FunctionType)


@pytest.mark.parametrize("name", TYPES)
def test_types_are_public(name: str) -> None:
    assert isinstance(getattr(accelsim, name), type)


def test_all_names_what_is_public() -> None:
    assert set(accelsim.__all__) == {*FUNCTIONS, *TYPES, "__version__"}
    assert set(accelsim.__all__) <= set(dir(accelsim))


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert accelsim.__version__ == project["version"]


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'accelsim' has no attribute 'simulat'"):
        getattr(accelsim, "simulat")  # noqa: B009


@pytest.mark.parametrize("name", ["simulate", "analyze"])
def test_a_module_never_shadows_the_function_of_its_name(name: str) -> None:
    module = importlib.import_module(f"accelsim.{name}")
    assert isinstance(module, ModuleType)
    assert getattr(accelsim, name) is getattr(module, name)
    importlib.reload(module)
    assert isinstance(getattr(accelsim, name), FunctionType)


@pytest.mark.parametrize("name", ["simulate", "analyze"])
@pytest.mark.parametrize(
    "order",
    [
        "import accelsim; accelsim.{0}; import accelsim.{0}",
        "import accelsim.{0}; accelsim.{0}",
        "from accelsim.{0} import {0} as first; import accelsim; assert accelsim.{0} is first",
    ],
)
def test_the_function_wins_in_every_order(name: str, order: str) -> None:
    loaded_after(f"{order.format(name)}\nassert type(accelsim.{name}).__name__ == 'function'")


def test_other_modules_are_attributes_as_ever() -> None:
    module = importlib.import_module("accelsim.errors")
    assert accelsim.errors is module


def test_starting_is_cheap() -> None:
    """Nothing but the standard library and PyYAML for the import, the help and the lists."""
    assert loaded_after("import accelsim") & {*HEAVY, "yaml", "argparse"} == set()
    commands = "from accelsim.cli import main\nmain(['--help'])\nmain(['list'])\nmain(['list', '--json'])"
    assert loaded_after(commands) & HEAVY == set()


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["fusemax", "edge-lpddr5"])
@pytest.mark.parametrize("depth", ["bound", "analytic"])
def test_one_simulation_compiles_and_draws_nothing(arch: str, depth: str) -> None:
    words = f"simulate {arch} bert --set L=1024 --depth {depth}"
    code = f"from accelsim.cli import main\nassert main('{words}'.split()) == 0"
    assert loaded_after(code) & {"numba", "networkx", "matplotlib", "jinja2"} == set()


def test_one_analysis_compiles_and_draws_nothing() -> None:
    code = "from accelsim.cli import main\nassert main('analyze bert --set L=1024'.split()) == 0"
    assert loaded_after(code) & {"numba", "networkx", "matplotlib", "jinja2"} == set()


@pytest.mark.parametrize(
    "name", ["accelsim", "accelsim.simulate", "accelsim.yamldump", "accelsim.report.text", "accelsim.explore.pareto"]
)
def test_examples_in_docstrings_hold(name: str) -> None:
    module = sys.modules.get(name) or importlib.import_module(name)
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
