"""Models from YAML: every shipped one, and layers, ranks and experts that cannot be, at their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.cluster import load_model
from accelsim.errors import AccelsimError
from accelsim.shipped import data_dir
from accelsim.yamlfile import load_file
from tests.cluster.named import MODELS, model

OWN = """\
schema: accelsim/model/1
name: own
description: Two layers
source: made up
layers: [{workload: mixtral-8x7b-step, count: 2}]
ranks: {batch: b, positions: m, expert: n, routed: t}
experts_per_token: 2
shard: [h, g, s]
"""


def refusal(folder: Path, old: str, new: str) -> str:
    assert OWN.count(old) == 1
    (folder / "own.yaml").write_text(OWN.replace(old, new))
    with pytest.raises(AccelsimError) as caught:
        load_model(str(folder / "own.yaml"))
    return str(caught.value).removeprefix(f"{folder}/own.yaml")


def test_without_a_slip_it_loads(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    found = load_model(str(tmp_path / "own.yaml"))
    assert (found.name, found.source, found.experts_per_token, found.shard) == ("own", "made up", 2, ("h", "g", "s"))
    assert [(layer.name, layer.count) for layer in found.layers] == [("mixtral-8x7b-step", 2)]
    assert [step.name for step in found.layers[0].steps] == ["attention", "router", "experts"]
    assert found.ranks == model("mixtral-8x7b").ranks


@pytest.mark.parametrize("name", MODELS)
def test_every_shipped_model_loads_and_is_named_after_its_file(name: str) -> None:
    document = load_file(data_dir("clusters/models") / f"{name}.yaml").mapping()
    assert model(name).name == name
    assert document["description"].string()
    assert model(name).source


@pytest.mark.parametrize("name", MODELS)
def test_layers_are_of_one_token_with_one_position(name: str) -> None:
    """Sizes of a batch are set when it is known; all others are those of the model."""
    ranks = model(name).ranks
    for layer in model(name).layers:
        for step in layer.steps:
            sizes = step.shapes.sizes
            set_by_step = {ranks.batch, ranks.positions, ranks.routed} & set(sizes)
            assert set_by_step
            assert all(size == 1 for rank, size in sizes.items() if rank in set_by_step)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("schema: accelsim/model/1", "schema: accelsim/cluster/1", ":1:9: "),
        ("name: own", "nam: own", ':2:1: nam: unknown key "nam"; did you mean "name"?'),
        ("name: own", "name: 'own one'", ":2:7: name: must be a name"),
        ("count: 2", "count: 0", ':5:47: layers[0].count: must be a positive integer, got "0"'),
        ("count: 2", "cnt: 2", ':5:40: layers[0].cnt: unknown key "cnt"; did you mean "count"?'),
        ("[{workload: mixtral-8x7b-step, count: 2}]", "[]", ":5:9: layers: must be one layer or more, got a list"),
        ("positions: m, ", "", ':6:8: ranks: missing key "positions"'),
        ("batch: b", "batch: q", ':6:16: ranks.batch: no layer has a parameter "Q" for it'),
        ("positions: m", "positions: mm", ':6:30: ranks.positions: no layer has a parameter "MM" for it'),
        (", routed: t", "", ":6:8: ranks: expert and routed go together"),
        ("expert: n, ", "", ":6:8: ranks: expert and routed go together"),
        ("token: 2", "token: 0", ':7:20: experts_per_token: must be from 1 to 8, the experts of a layer, got "0"'),
        ("token: 2", "token: 9", ':7:20: experts_per_token: must be from 1 to 8, the experts of a layer, got "9"'),
        ("token: 2", "token: 1.5", ':7:20: experts_per_token: must be an integer, got "1.5"'),
        ("[h, g, s]", "[h, k]", ':8:12: shard[1]: no layer has a rank "k"'),
        ("[h, g, s]", "[h, m]", ':8:12: shard[1]: must be a rank of weights, since devices have all tokens, got "m"'),
    ],
)
def test_refusals_have_their_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert refusal(tmp_path, old, new).startswith(says)


def test_a_layer_that_is_no_workload_or_not_all_of_one(tmp_path: Path) -> None:
    said = refusal(tmp_path, "workload: mixtral-8x7b-step", "workload: mixtral-8x7b-stp")
    nearest = 'no workload named "mixtral-8x7b-stp"; did you mean "mixtral-8x7b-step"?'
    assert said == f":5:21: layers[0].workload: {nearest}"
    assert "parameter H must be given" in refusal(tmp_path, "workload: mixtral-8x7b-step", "workload: mixtral-step")


def test_experts_of_no_layer(tmp_path: Path) -> None:
    """Two of no experts are none."""
    dense = OWN.replace("mixtral-8x7b-step", "gpt3-175b-step").replace(", expert: n, routed: t", "")
    (tmp_path / "own.yaml").write_text(dense)
    with pytest.raises(AccelsimError) as caught:
        load_model(str(tmp_path / "own.yaml"))
    assert caught.value.message == 'experts_per_token: must be 0, since no layer has experts, got "2"'


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AccelsimError) as caught:
        load_model("gpt3-175")
    assert str(caught.value) == 'no model named "gpt3-175"; did you mean "gpt3-175b"?'
