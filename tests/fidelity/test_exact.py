"""What is exact: sizes stay, and everything that drops is taken back to what the file has."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.errors import AccelsimError
from accelsim.fidelity import exact_of
from accelsim.workload import load_workload, steps

SENTENCE = ["LAYERS=4", "H=3", "M=16"]


def test_sizes_stay_and_what_drops_is_taken_back() -> None:
    """E and F have defaults but are sizes of inputs; PER and WHOLE are neither."""
    changed = load_workload("pruned-attention", [*SENTENCE, "E=8", "F=4", "DROP0=500", "VKEEP=100", "WHOLE=2"])
    plain = load_workload("pruned-attention", [*SENTENCE, "E=8", "F=4"])
    assert exact_of(changed).params == plain.params
    (one,), (other,) = steps(exact_of(changed)), steps(plain)
    assert one.shapes.shapes == other.shapes.shapes
    assert one.shapes.cascade.maps == other.shapes.cascade.maps


def test_a_size_that_follows_from_others_keeps_them() -> None:
    """M is PROMPT + TOKENS, T is TOKENS * LAYERS, both sizes of inputs."""
    sizes = ["LAYERS=2", "PROMPT=6", "H=2", "TOKENS=3"]
    exact = exact_of(load_workload("pruned-decode", [*sizes, "DROP0=300"]))
    assert (exact.params["TOKENS"], exact.params["M"], exact.params["T"], exact.params["DROP0"]) == (3, 9, 6, 0)


def test_tables_of_a_preset_are_taken_back() -> None:
    """The trace of a preset is how much was dropped; its types are not."""
    traced = load_workload("gpt2-small-pruned")
    (step,), (exact,) = steps(traced), steps(exact_of(traced))
    assert step.types == exact.types
    assert min(step.shapes.cascade.maps["kept"]) < 1024
    assert set(exact.shapes.cascade.maps["kept"]) == {1024}
    assert set(exact.shapes.cascade.maps["heads"]) == {12}


def test_parameters_that_a_preset_adds_stay() -> None:
    exact = exact_of(load_workload("bert", ["L=32"]))
    assert (exact.params["L"], exact.params["M"], exact.params["P"]) == (32, 32, 32)


def test_an_override_of_a_table_is_taken_back() -> None:
    changed = load_workload("pruned-attention", [*SENTENCE, "workload.maps.kept=[4, 4, 4, 4]"])
    (exact,) = steps(exact_of(changed))
    assert exact.shapes.cascade.maps["kept"] == (16, 16, 16, 16)


def test_a_file_that_drops_by_itself_is_its_own_exact_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("schema: accelsim/workload/1\nbase: pruned-attention\nname: mine\nset: {params.DROP0: 500}\n")
    mine = load_workload(str(path), SENTENCE)
    assert exact_of(mine).params == mine.params


def test_a_layer_has_no_such_counterpart() -> None:
    layer = load_workload("encoder-layer", ["B=1", "L=8", "H=1", "D=8", "S=8", "E=8"])
    with pytest.raises(AccelsimError, match=r"^encoder-layer has steps: name what is exact$"):
        exact_of(layer)
