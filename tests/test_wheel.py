"""The wheel works where nothing of the checkout is: built, installed in its own environment, run from elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ("arch_configs", "clusters", "sweeps", "workloads")
pytestmark = pytest.mark.wheel


@dataclass(frozen=True)
class Installed:
    """A wheel and the environment that it is installed in; commands run in `elsewhere`."""

    wheel: Path
    environment: Path
    elsewhere: Path

    def run(self, *words: str) -> str:
        """What a program of the environment prints; nothing of ours may come from anywhere but the wheel."""
        variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
        return execute([str(self.environment / "bin" / words[0]), *words[1:]], self.elsewhere, variables)


def execute(command: list[str], folder: Path, variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def make_environment(folder: Path) -> Path:
    """An environment that sees what this one has installed, but not its links to the checkout."""
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "installed-here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Built and installed without a network: what building needs is installed already."""
    box = tmp_path_factory.mktemp("wheel box")
    elsewhere = box / "elsewhere"
    elsewhere.mkdir()
    python = [sys.executable, "-m"]
    execute([*python, "build", "--wheel", "--no-isolation", "--outdir", str(box / "dist"), str(ROOT)], elsewhere)
    wheel = next((box / "dist").glob("accelsim-*.whl"))
    environment = make_environment(box / "environment")
    pip = [*python, "pip", "--python", str(environment / "bin" / "python"), "--disable-pip-version-check"]
    execute([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], elsewhere)
    yield Installed(wheel, environment, elsewhere)
    assert not list(elsewhere.iterdir()), "commands that only print leave no files"


def names(installed: Installed) -> set[str]:
    with zipfile.ZipFile(installed.wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_all_shipped_data(installed: Installed) -> None:
    shipped = {str(path.relative_to(ROOT)) for kind in DATA for path in (ROOT / kind).rglob("*.yaml")}
    assert {f"accelsim/{name}" for name in shipped} <= names(installed)
    assert any(name.startswith("arch_configs/mappings/") for name in shipped)
    assert {name.split("/")[0] for name in shipped} == set(DATA)


def test_wheel_holds_all_modules_and_the_licence(installed: Installed) -> None:
    found = names(installed)
    modules = {str(path.relative_to(ROOT)) for top in ("accelsim", "rtl") for path in (ROOT / top).rglob("*.py")}
    assert modules <= found
    assert any(name.endswith("/licenses/LICENSE") for name in found)


def test_wheel_holds_nothing_else(installed: Installed) -> None:
    tops = {name.split("/")[0] for name in names(installed)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"accelsim", "rtl"}
    assert not [name for name in names(installed) if "test" in Path(name).name or "__pycache__" in name]


def test_package_comes_from_the_wheel(installed: Installed) -> None:
    place = installed.run("python", "-c", "import accelsim; print(accelsim.__file__)").strip()
    assert Path(place).is_relative_to(installed.environment)


def test_list_names_what_is_shipped(installed: Installed) -> None:
    text = installed.run("accelsim", "list", "--json")
    assert json.loads(text)["schema"] == 1
    for kind in DATA:
        for path in (ROOT / kind).glob("*.yaml"):
            assert f'"{path.stem}"' in text


def test_simulate_runs_from_another_folder(installed: Installed) -> None:
    words = ["simulate", "fusemax", "bert", "--set", "L=1024", "--depth", "analytic", "--json"]
    document = json.loads(installed.run("accelsim", *words))
    assert (document["kind"], document["depth"], document["params"]["L"]) == ("result", "analytic", 1024)
    assert document["cycles"] > 0


def test_hardware_is_generated_and_verified_from_another_folder(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of the wheel has no programs of its own: ccache is that of the tests."""
    monkeypatch.setenv("ACCELSIM_CACHE", str(ROOT / ".cache" / "accelsim"))
    monkeypatch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    installed.run("accelsim", "rtl", "generate", "exp", "--out", str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accelsim_exp_default.json", "accelsim_exp_default.v"]
    document = json.loads(installed.run("accelsim", "rtl", "verify", "exp", "--set", "segments=4", "--json"))
    assert (document["kind"], document["passed"]) == ("rtl-verification", True)
