"""`accelsim rtl estimate`: table, document, file, what it offers an architecture, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from accelsim.arch import load_arch
from accelsim.cli import main
from accelsim.errors import AccelsimError
from accelsim.hardware.design import arch_designs
from accelsim.hardware.generate import generate
from rtl.estimate import library
from tests.rtl import liberty

Output = tuple[int, str, str]
Run = Callable[..., Output]
TINY = ("--set", "source=u9.4", "--set", "target=s9.8", "--set", "segments=4")
FAST = ("--fpga", "ice40")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def running(*words: str) -> Output:
        capsys.readouterr()
        status = main(["rtl", "estimate", *words])
        return (status, *capsys.readouterr())

    return running


@pytest.fixture(autouse=True)
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Debian's library would be: it is not, unless a test writes it."""
    path = tmp_path / "debian.lib"
    monkeypatch.setitem(library.DEBIAN, "osu018", path)
    return path


@pytest.fixture
def cells(tmp_path: Path) -> str:
    path = tmp_path / "tiny.lib"
    path.write_text(liberty.tiny(), encoding="utf-8")
    return str(path)


@pytest.fixture
def arch(tmp_path: Path) -> str:
    """Two units with the same hardware, and one with other, which counts nothing of its own."""
    path = tmp_path / "mine.yaml"
    entry = "{unit: exp, source: u9.4, target: s9.8, segments: 4, lanes: 2}"
    path.write_text(
        "schema: accelsim/arch/1\nname: mine\nbase: edge\nset:\n"
        f"  units.pe2d.rtl: {entry}\n  units.pe1d.lanes: 2\n  units.pe1d.rtl: {entry}\n"
        "  units.more: {lanes: 1, ops: {}, rtl: {unit: exp, source: u9.4, target: s9.8, segments: 4}}\n",
        encoding="utf-8",
    )
    return str(path)


def document(output: Output) -> dict[str, Any]:
    assert output[0] == 0, output[2]
    found: dict[str, Any] = json.loads(output[1])
    assert (found["schema"], found["kind"]) == (1, "rtl-estimate")
    return found


@pytest.mark.slow
def test_a_unit_on_two_families_and_in_gates(run: Run) -> None:
    found = document(run("exp", *TINY, "--json"))
    (design,) = found["designs"]
    assert list(design["figures"]) == ["ecp5", "xilinx", "gates"]
    for family in ("ecp5", "xilinx"):
        assert set(design["figures"][family]) == {"lut", "ff", "dsp", "bram", "carry"}
    assert design["figures"]["gates"]["gate_equivalents"] > 100
    assert all(set(flow) >= {"says", "without", "tool", "commands"} for flow in found["flows"].values())
    assert found["offers"] is None


@pytest.mark.slow
def test_what_is_estimated_is_what_is_generated(run: Run, tmp_path: Path) -> None:
    found = document(run("tiny", *FAST, "--set", "units.pe2d.rows=1", "--set", "units.pe2d.cols=1", *SMALL, "--json"))
    designs = arch_designs(load_arch("tiny", ["units.pe2d.rows=1", "units.pe2d.cols=1", SMALL[1], SMALL[3]]))
    written = {name: json.loads(generate(design, tmp_path)[1].read_text("utf-8")) for name, design in designs.items()}
    told = {used: design for design in found["designs"] for used in design["for"]}
    assert {used: design["sha256"] for used, design in told.items()} == {u: p["sha256"] for u, p in written.items()}


SMALL = (
    *("--set", "units.pe1d.rtl={unit: exp, lanes: 4, segments: 4}"),
    *("--set", "units.tile.rtl={unit: exp, lanes: 1, segments: 4}"),
)


@pytest.mark.slow
def test_an_architecture_has_each_design_once(run: Run, arch: str, cells: str, tmp_path: Path) -> None:
    words = (arch, *FAST, "--set", "units.pe2d.rtl={unit: exp, source: u9.4, target: s9.8, segments: 4, lanes: 2}")
    found = document(run(*words, "--liberty", cells, "--out", str(tmp_path / "out"), "--json"))
    assert [design["for"] for design in found["designs"]] == [["pe2d", "pe1d"], ["more"]]
    (path,) = (tmp_path / "out").iterdir()
    assert found["files"] == [str(path)]
    assert path.name == "mine.estimate.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Estimates of synthesis, not measurements")
    assert yaml.safe_load(text) == {key: value for key, value in found.items() if key != "files"}


@pytest.mark.slow
def test_what_is_offered_is_taken(run: Run, arch: str, cells: str) -> None:
    """The lines give the clock of the slowest design, and each unit the area of its design."""
    found = document(run(arch, *FAST, "--liberty", cells, "--json"))
    offers = found["offers"]
    loaded = load_arch(arch, offers["set"])
    slowest = max(design["figures"]["liberty:tiny"]["delay_ps"] for design in found["designs"])
    assert 1e12 / slowest - 1000 <= loaded.clock_hz <= 1e12 / slowest
    areas = loaded.area_um2()
    assert areas is not None
    wanted = {used: one["figures"]["liberty:tiny"]["area"] for one in found["designs"] for used in one["for"]}
    for unit in ("pe2d", "pe1d"):
        of_unit = [area for name, area in areas.items() if name.startswith(f"{unit}.")]
        assert [float(area) for area in of_unit] == pytest.approx([wanted[unit]])
    assert "area of more: none, it counts no component of its own in per_pe" in offers["notes"]
    assert offers["options"].count("--set '") == len(offers["set"]) == 5


def test_a_library_without_delays_offers_no_clock(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "untimed.lib"
    path.write_text(liberty.tiny(timed=False), encoding="utf-8")
    offers = document(run("exp", *TINY, *FAST, "--liberty", str(path), "--json"))["offers"]
    assert offers["set"] == []
    assert offers["notes"] == ["clock: none, liberty:untimed has no delays"]


def test_debians_library_where_it_is(run: Run, debian: Path) -> None:
    missing = f"osu018: not installed ({debian}); it comes with: apt install qflow-tech-osu018"
    assert missing in run("exp", *TINY, *FAST)[1].splitlines()
    debian.write_text(liberty.tiny(), encoding="utf-8")
    found = document(run("exp", *TINY, *FAST, "--json"))
    assert found["missing"] == []
    assert found["flows"]["osu018"]["nand2_area"] == liberty.NAND2
    assert found["offers"]["library"] == "osu018"


def test_text_says_what_figures_are_of_and_without(run: Run, cells: str) -> None:
    status, text, error = run("exp", *TINY, *FAST, "--liberty", cells)
    assert (status, error) == (0, "")
    fpga, gates, labels, missing, offers = text.strip().split("\n\n")
    assert fpga.splitlines()[0].split() == ["design", "for", "fpga", "LUT", "FF", "DSP", "BRAM", "CARRY"]
    assert [line.split()[2] for line in gates.splitlines()[1:]] == ["gates", "liberty:tiny"]
    assert all("pyosys" in line and "Without" in line for line in labels.splitlines())
    assert "Delay: the longest path of gates" in labels
    assert missing.startswith("osu018: not installed")
    assert "--set 'arch.clock=" in offers


@pytest.mark.slow
def test_the_same_bytes_again(run: Run, cells: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("one", "two"):
        monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path / f"cache-{folder}"))
        assert run("exp", *TINY, *FAST, "--liberty", cells, "--out", str(tmp_path / folder))[0] == 0
    first, second = (next((tmp_path / folder).iterdir()) for folder in ("one", "two"))
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["expp"], 'no hardware unit or architecture named "expp"; did you mean "exp"?'),
        (["exp", "--fpga", "ecp5,xlinx"], 'no FPGA family "xlinx"; did you mean "xilinx"?'),
        (["exp", "--fpga", ""], 'no FPGA family ""; known: ecp5, ice40, xilinx'),
        (["exp", "--liberty", "none.lib"], "none.lib: cannot be read: No such file or directory"),
        (["exp", "--liberty", "bad.lib"], "bad.lib: yosys: ERROR: Syntax error in liberty file on line 1."),
        (["exp", "--config", "smal"], 'exp has no configuration "smal"; '),
        (["edge"], "edge: no unit has an rtl entry"),
        (["tiny", "--config", "a"], "--config belongs to a unit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused(
    run: Run, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.lib").write_text("hello", encoding="utf-8")
    status, text, error = run(*words, "--out", "out")
    assert (status, text) == (2, "")
    assert error.startswith(f"accelsim: {message}")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(run: Run, cells: str) -> None:
    status, _, error = run("exp", *TINY, *FAST, "--out", cells)
    assert (status, error.count("\n")) == (2, 1)
    assert "cannot be written" in error


def test_the_error_is_of_the_family() -> None:
    with pytest.raises(AccelsimError):
        library.read_library(Path("/"))
