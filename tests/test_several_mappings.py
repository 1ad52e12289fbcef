"""A workload of several functions: a mapping for each of them, the architecture's own for the rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from accelsim.arch import load_arch
from accelsim.cli import main
from accelsim.errors import AccelsimError
from accelsim.explore import compare
from accelsim.mapping import load_mapping
from accelsim.route import Overrides, route
from accelsim.shipped import data_dir
from accelsim.simulate import executed, load_named, placed, simulate, simulate_named
from accelsim.whatif import what_if
from accelsim.workload import load_workload
from tests.test_map import LAYER, document

SIZES = ("L=512",)
SHIPPED = data_dir("arch_configs/mappings")
CLASH = "mappings fusemax ({0}/fusemax.yaml) and fusemax-arch ({0}/fusemax-arch.yaml) are both for attention: give one"
NONE = "mapping gemm is for gemm; bert-layer has none of it"


def names_of(arch: str, *mappings: str, depth: str = "analytic") -> str:
    return simulate_named(arch, "bert-layer", SIZES, mappings, depth).mapping


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = main([*words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def given(paths: Sequence[Path | str]) -> list[str]:
    return [word for path in paths for word in ("--mapping", str(path))]


def test_each_is_for_its_functions_and_the_rest_take_their_own() -> None:
    own = "projection + fusemax + output-projection + linear"
    assert names_of("fusemax") == names_of("fusemax", "linear", "projection") == own
    assert names_of("fusemax", "linear", "fusemax-arch") == own.replace("fusemax", "fusemax-arch")


def test_objects_and_names_are_two_ways_to_the_same_run() -> None:
    said = ("fusemax-arch", "linear")
    arch, workload = load_arch("fusemax"), load_workload("bert-layer", SIZES)
    mappings = tuple(map(load_mapping, said))
    direct = simulate(arch, workload, mappings)
    assert direct.to_json() == simulate_named("fusemax", "bert-layer", SIZES, said).to_json()
    assert direct.to_json() == simulate(arch, workload, list(reversed(mappings))).to_json()
    assert placed(arch, workload, mappings) is placed(arch, workload, list(mappings))
    assert simulate(arch, workload, []).to_json() == simulate(arch, workload).to_json()
    assert simulate(arch, workload, mappings[0]).to_json() == simulate(arch, workload, mappings[:1]).to_json()


def test_depth_cycle_takes_several() -> None:
    result, _ = executed(*load_named("fusemax", "bert-layer", ["L=256", "B=1"], ["fusemax-arch", "linear"]))
    assert result.mapping == "projection + fusemax-arch + output-projection + linear"


@pytest.mark.parametrize("depth", ["bound", "analytic", "cycle"])
@pytest.mark.parametrize(
    ("mappings", "message"),
    [
        (("linear", "fusemax", "fusemax-arch"), CLASH.format(SHIPPED)),
        (("fusemax", "gemm"), NONE),
        (("gemm",), NONE),
    ],
)
def test_what_cannot_be_meant_is_refused(mappings: tuple[str, ...], message: str, depth: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        names_of("fusemax", *mappings, depth=depth)
    assert str(caught.value) == message


def test_of_what_the_workload_lacks_there_may_be_two(tmp_path: Path) -> None:
    """Both are for gemm too: it is the functions of the workload that count."""
    paths = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for path, function in zip(paths, ("linear", "projection"), strict=True):
        path.write_text(
            f"schema: accelsim/mapping/1\nname: {path.stem}\nbase: {function}\n"
            f"set: {{for: {{arch: fusemax, function: [{function}, gemm]}}}}\n"
        )
    assert names_of("fusemax", *map(str, paths)) == "two + fusemax + output-projection + one"
    with pytest.raises(AccelsimError, match=r"mappings one \(.*\) and two \(.*\) are both for gemm: give one"):
        simulate_named("fusemax", "gemm", ["M=64"], [str(path) for path in paths])


SEVERAL = "fusemax-arch, linear are given, and --set does not say which of them is meant: change its file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mapping.groups.attention.in_flight=2", f'--set:1:1: "mapping.groups.attention.in_flight": {SEVERAL}'),
        ("forward=[]", f'--set:1:1: "forward": {SEVERAL}'),
        ("split=2", f'--set:1:1: "split": {SEVERAL}'),
        ("rows=128", '--set:1:1: "rows" is ambiguous: arch.units.pe2d.rows, mapping.spatial.pe2d.rows'),
        ("in_flght=2", '--set:1:1: nothing is named "in_flght"; did you mean "in_flight"?'),
    ],
)
def test_a_value_of_one_of_several_is_refused(text: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        route("fusemax", "bert-layer", ["fusemax-arch", "linear"], [text])
    assert str(caught.value) == message


def test_other_values_can_be_set_whatever_is_given() -> None:
    found = route("fusemax", "bert-layer", ["fusemax-arch", "linear"], ["L=64", "arch.clock=1 GHz"])
    assert found == Overrides(arch=("clock=1 GHz",), workload=("L=64",))
    one = route("fusemax", "bert-layer", ["fusemax-arch"], ["mapping.groups.attention.in_flight=2"])
    assert one == Overrides(mapping=("groups.attention.in_flight=2",))


@pytest.mark.slow
def test_whatif_takes_several(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("whatif", "fusemax", "bert-layer", "--set", "L=512")
    status, found = ran(capsys, *words, *given(["fusemax-arch", "linear"]))
    said = what_if("fusemax", "bert-layer", SIZES, ["fusemax-arch", "linear"])
    clock = next(change for change in found["changes"] if change["resource"] == "clock")
    assert (status, clock["speedup"], found["ski_slope"]) == (0, float(said[0].speedup or 0), None)
    assert said != what_if("fusemax", "bert-layer", SIZES)
    status, found = ran(capsys, *words, *given(["fusemax", "fusemax-arch"]))
    assert (status, found["message"]) == (2, CLASH.format(SHIPPED))


def test_compare_gives_an_architecture_all_that_are_for_it() -> None:
    found = compare("bert-layer", ["flat", "fusemax"], SIZES, mappings=["flat", "linear", "fusemax"])
    assert [result.mapping for result in found.results] == [
        f"projection + {name} + output-projection + linear" for name in ("flat", "fusemax")
    ]
    with pytest.raises(AccelsimError, match="linear: another mapping for linear stands before it"):
        compare("bert-layer", ["fusemax"], SIZES, mappings=[str(SHIPPED / "linear.yaml"), "linear"])


def test_what_map_writes_of_a_layer_can_be_simulated(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = document(capsys, tmp_path / "map", *LAYER, "--most-fused", "2")
    paths = [step["path"] for step in found["steps"]]
    assert len(paths) == 4
    out = tmp_path / "run"
    status, result = ran(capsys, "simulate", *LAYER, *given(paths), "--out", str(out))
    assert (status, result) == (0, found["result"])
    assert ran(capsys, "simulate", *LAYER, *given(paths[::-1]))[1] == result
    steps = [name for step in found["steps"] for name in step["steps"]]
    assert {path.name for path in out.iterdir()} == {
        *("result.json", "arch.resolved.yaml", "workload.resolved.yaml"),
        *(f"mapping.{name}.resolved.yaml" for name in steps),
    }
    for step in found["steps"]:
        for name in step["steps"]:
            resolved = load_mapping(str(out / f"mapping.{name}.resolved.yaml"))
            assert resolved.document.plain() == load_mapping(step["path"]).document.plain()
