"""Names, parameters, overrides and inheritance of workloads, and the text of every refusal."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from accelsim.einsum.types import TYPES, data_type
from accelsim.errors import AccelsimError, Mark
from accelsim.overrides import apply_set, resolve_base, split_override
from accelsim.shipped import data_dir, shipped_names
from accelsim.workload import find_workloads, load_workload, parameter_names, steps
from accelsim.yamlfile import Node, load_text
from tests.workload.shipped import without_value

SIZES = ["B=1", "H=2", "E=4", "M=8"]
OWN = """\
schema: accelsim/workload/1
name: own
function: {inputs: {A: [i]}, outputs: {X: [i]}}
params: {I: null}
ranks: {i: I}
types: {default: fp16}
einsums: |
  X[i] = 2 * A[i]
"""


def write(folder: Path, text: str, name: str = "own") -> str:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return str(path)


def refused(name: str, *overrides: str) -> str:
    with pytest.raises(AccelsimError) as caught:
        steps(load_workload(name, overrides))
    return str(caught.value)


# Names.


@pytest.mark.parametrize(
    ("name", "cascade", "heads"),
    [
        ("bert", None, 12),
        ("bert-1pass", "1pass", 12),
        ("xlm-2pass-deferred", "2pass-deferred", 16),
        ("t5-3pass", "3pass", 8),
    ],
)
def test_a_preset_may_be_followed_by_a_cascade(name: str, cascade: str | None, heads: int) -> None:
    workload = load_workload(name, ["L=1024"])
    assert (workload.name, workload.cascade, workload.params["H"]) == (name, cascade, heads)
    assert (workload.params["M"], workload.params["P"], workload.params["F"]) == (1024, 1024, workload.params["E"])


def test_a_file_may_be_followed_by_a_cascade() -> None:
    workload = load_workload("attention-1pass", SIZES)
    assert workload.cascade == "1pass"
    assert workload.cascades == ("3pass", "3pass-deferred", "2pass", "2pass-deferred", "1pass")


def test_a_path_is_a_workload(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    workload = load_workload(path, ["I=3"])
    assert (workload.name, workload.path, workload.params) == ("own", path, {"I": 3})
    assert workload.sha256 == hashlib.sha256(OWN.encode()).hexdigest()
    (step,) = steps(workload)
    assert (step.name, step.function, step.cascade_name, step.tensors) == (
        "own",
        "own",
        "default",
        {"A": "A", "X": "X"},
    )


def test_every_name_on_offer_is_a_workload() -> None:
    names = [name for name, description in find_workloads() if description]
    assert set(shipped_names("workloads")) < set(names)
    assert len(set(names)) == len(names)
    for name in names:
        small = ("H", "G", "TOP")
        assert steps(load_workload(name, [f"{key}={2 if key in small else 8}" for key in without_value(name)]))


@pytest.mark.parametrize("name", shipped_names("workloads"))
def test_every_shipped_file_says_what_it_is_and_is_named_after_itself(name: str) -> None:
    fields = load_text((data_dir("workloads") / f"{name}.yaml").read_text(), name).mapping()
    assert fields["name"].string() == name
    assert "description" in fields
    for preset in fields["presets"].mapping().values() if "presets" in fields else ():
        assert {"source", "description"} <= set(preset.mapping())


@pytest.mark.parametrize(
    ("name", "hint"),
    [("atention", "attention"), ("brt", "bert"), ("bert-1pas", "bert-1pass"), ("attention-4pass", "attention-1pass")],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, hint: str) -> None:
    message = refused(name)
    assert message.startswith(f'no workload named "{name}"; did you mean "')
    assert hint[:4] in message


def test_listing_needs_neither_numpy_nor_the_parser() -> None:
    code = (
        "import sys; from accelsim.workload import find_workloads, load_workload; find_workloads();"
        "assert not {'numpy', 'lark', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=data_dir("workloads").parent)


# Parameters.


def test_parameters_are_bound_in_the_order_declared() -> None:
    workload = load_workload("attention", [*SIZES, "P=M//2 + H"])
    assert dict(workload.params) == {"B": 1, "H": 2, "E": 4, "F": 4, "M": 8, "P": 6}
    assert list(workload.params) == ["B", "H", "E", "F", "M", "P"]


def test_a_parameter_of_a_cascade_is_given_by_its_name_and_goes_before_the_mapping() -> None:
    for overrides, expected in ([], 2), (["M0=4"], 4), (["workload.cascades.1pass.params.M0=8"], 8):
        (step,) = steps(load_workload("attention-1pass", [*SIZES, *overrides]), given=lambda function: {"M0": 2})
        assert step.shapes.params["M0"] == expected
    (step,) = steps(load_workload("attention-1pass", SIZES))
    assert step.shapes.params["M0"] == 256


def test_the_mapping_chooses_where_nothing_else_does() -> None:
    def choose(function: str) -> str:
        assert function == "attention"
        return "2pass"

    names = [steps(load_workload(name, SIZES), choose)[0].cascade_name for name in ("attention", "attention-1pass")]
    assert names == ["2pass", "1pass"]
    assert steps(load_workload("attention", SIZES))[0].cascade_name == "3pass"
    assert steps(load_workload("attention", [*SIZES, "cascade=1pass"]), choose)[0].cascade_name == "1pass"
    with pytest.raises(AccelsimError, match='no cascade "4pass" of attention'):
        steps(load_workload("attention", SIZES), lambda function: "4pass")


def test_parameter_names_include_those_of_cascades() -> None:
    assert parameter_names("bert") == ("B", "H", "E", "F", "M", "P", "L", "M0")


ATTENTION = data_dir("workloads") / "attention.yaml"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["B=1"], f"{ATTENTION}:9:19: parameter H must be given: --set H=VALUE"),
        ([*SIZES, "P="], "--set P:1:1: parameter P must be given: --set P=VALUE"),
        ([*SIZES, "Q=1"], '--set Q:1:1: no parameter "Q"; known: B, E, F, H, M, M0, P, cascade'),
        ([*SIZES, "P=1.5"], '--set P:1:1: params.P: must be an integer or an expression over parameters, got "1.5"'),
        ([*SIZES, "P=[1]"], "--set P:1:1: params.P: must be an integer or an expression over parameters, got a list"),
        ([*SIZES, "P=true"], '--set P:1:1: params.P: must be an integer or an expression over parameters, got "true"'),
        ([*SIZES, "P=L"], '--set P:1:1: params.P: no parameter "L"; known: B, E, F, H, M, P'),
        ([*SIZES, "P=M//0"], '--set P:1:1: params.P: division by zero in "M//0"'),
        (["B=H", "H=E", "E=B", "M=1"], "--set B:1:1: params.B: depends on itself: B -> H -> E -> B"),
        ([*SIZES, "P=P"], "--set P:1:1: params.P: depends on itself: P -> P"),
        ([*SIZES, "P=0"], f"{ATTENTION}:1:1: attention: rank p: size must be positive, got 0"),
        ([*SIZES, "cascade=1pas"], '--set cascade:1:1: no cascade "1pas"; did you mean "1pass"?'),
        ([*SIZES, "x"], '--set:1:1: must be PATH=VALUE, got "x"'),
        ([*SIZES, "workload.parms.B=1"], '--set workload.parms.B:1:1: "parms.B": no "parms"; did you mean "params"?'),
        (
            [*SIZES, "workload.params.BB=1"],
            '--set workload.params.BB:1:1: "params.BB": no "BB" in params; did you mean "B"?',
        ),
        (
            [*SIZES, "workload.types.SNN=fp32"],
            '--set workload.types.SNN:1:1: types.SNN: no tensor "SNN"; did you mean "SN"?',
        ),
        (
            [*SIZES, "workload.types.RD=fp33"],
            '--set workload.types.RD:1:1: types.RD: no data type "fp33"; did you mean "fp32"?',
        ),
        ([*SIZES, "workload.param=x"], '--set workload.param:1:1: param: unknown key "param"; did you mean "params"?'),
    ],
)
def test_refusals(overrides: list[str], message: str) -> None:
    assert refused("attention", *overrides) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("name: own\n", ""), 'own.yaml:1:1: missing key "name"'),
        (("workload/1", "workload/2"), 'version "2" is not read by this program; expected accelsim/workload/1'),
        (("workload/1", "arch/1"), 'schema: must be "accelsim/workload/1", got "accelsim/arch/1"'),
        (("schema: accelsim/workload/1\n", ""), 'missing key "schema": expected accelsim/workload/1'),
        (("params: {I: null}", "params: {i: 4}"), 'params.i: a parameter must have an upper-case name, got "i"'),
        (("types: {default: fp16}", "types: {A: fp16}"), 'tensor "X" has no data type: types needs a default'),
        (("einsums: |", "cascades: {}\neinsums: |"), "must have one of the keys cascades and einsums"),
        (("ranks: {i: I}", "ranks: {i: I}\nranke: 1"), 'ranke: unknown key "ranke"; did you mean "ranks"?'),
        (("function: {inputs: {A: [i]}, outputs: {X: [i]}}", "function: {inputs: {A: [i]}}"), 'missing key "outputs"'),
        (("  X[i] = 2 * A[i]", "  X[i] = 2 * A[j]"), 'own.yaml:8:16: unknown rank "j"'),
    ],
)
def test_refusals_of_a_file(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert message in refused(write(tmp_path, OWN.replace(*change)), "I=3")


# Inheritance and overrides of any document.


def test_base_and_set(tmp_path: Path) -> None:
    text = "schema: accelsim/workload/1\nname: mine\nbase: attention\n"
    path = write(tmp_path, text + "set: {types.RD: fp32, cascades.1pass.params.M0: 8, params.M: 20}\n")
    (step,) = steps(load_workload(path, ["B=1", "H=1", "E=2", "cascade=1pass"]))
    assert (step.function, step.shapes.params["M"], step.shapes.params["M0"]) == ("attention", 20, 8)
    assert (step.types["RD"], step.types["RM"]) == (TYPES["fp32"], TYPES["fp16"])


def test_a_base_is_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path, OWN)
    write(tmp_path / "inner", "schema: accelsim/workload/1\nname: two\nbase: ../own.yaml\nset: {params.I: 7}\n", "two")
    text = "schema: accelsim/workload/1\nname: three\nbase: inner/two.yaml\nset: {types.default: fp32}\n"
    (step,) = steps(load_workload(write(tmp_path, text, "three")))
    assert (step.function, step.shapes.sizes["i"], step.types["X"].name) == ("own", 7, "fp32")


def test_a_base_may_not_lead_back(tmp_path: Path) -> None:
    one = write(tmp_path, "schema: accelsim/workload/1\nname: one\nbase: ./two.yaml\n", "one")
    write(tmp_path, "schema: accelsim/workload/1\nname: two\nbase: ./one.yaml\n", "two")
    assert "base: leads back to itself: " in refused(one)


def document(text: str) -> Node:
    return load_text(text, "x.yaml")


def test_a_chain_of_bases_ends() -> None:
    with pytest.raises(AccelsimError, match=r"x.yaml:1:7: base: follows more than 16 bases"):
        resolve_base(document("base: b0"), lambda name: document(f"base: b{int(name[1:]) + 1}"))


def test_a_derived_document_holds_only_its_own_name_and_changes() -> None:
    with pytest.raises(AccelsimError, match=r'x.yaml:2:\d+: units: unknown key "units"'):
        resolve_base(document("base: b\nunits: 1"), lambda name: document("a: 1"))


def test_set_replaces_and_adds_a_last_key_only() -> None:
    base = document("a: {b: 1}\nlist: [{name: one, x: 1}, {name: two, x: 2}]")

    def derive(changes: str) -> object:
        return resolve_base(document(f"base: b\nset: {changes}"), lambda name: base).plain()

    assert derive("{a.b: 2, a.c: 3, list.two.x: 5}") == {
        "a": {"b": 2, "c": 3},
        "list": [{"name": "one", "x": 1}, {"name": "two", "x": 5}],
    }
    with pytest.raises(AccelsimError, match=r'"aa.b": no "aa"; did you mean "a"'):
        derive("{aa.b: 2}")
    with pytest.raises(AccelsimError, match=r'"list.too.x": no item "too" in list; did you mean "two"'):
        derive("{list.too.x: 2}")
    with pytest.raises(AccelsimError, match=r'"a.b.c": a.b is "1", not a mapping'):
        derive("{a.b.c: 2}")


def test_a_replaced_value_has_the_path_of_its_place_and_the_mark_of_its_origin() -> None:
    changed = apply_set(document("a: {exp(a.b): 1}"), "a.exp(a.b)", split_override("a=[5, 6]")[1])
    inner = changed.mapping()["a"].mapping()["exp(a.b)"].sequence()[1]
    assert (inner.value, inner.path, inner.mark) == (6, "a.exp(a.b)[1]", Mark("--set a", 1, 5))


def test_without_create_a_new_key_is_refused() -> None:
    with pytest.raises(AccelsimError, match=r'"a.c": no "c" in a; known: b'):
        apply_set(document("a: {b: 1}"), "a.c", Node(1, Mark("--set", 1, 1)))


# Data types.


def test_types_have_sizes_and_ends() -> None:
    sizes = {
        "fp64": 8,
        "fp32": 4,
        "tf32": 4,
        "bf16": 2,
        "fp16": 2,
        "fp8_e4m3": 1,
        "fp8_e5m2": 1,
        "int64": 8,
        "int32": 4,
    }
    sizes |= {"int16": 2, "int8": 1, "uint8": 1, "bool": 1}
    packed = {f"int{bits}": Fraction(bits, 8) for bits in (4, 6, 10, 12)}
    assert {name: kind.bytes for name, kind in TYPES.items()} == {**sizes, **packed}
    assert TYPES["fp16"].lowest == -65504
    assert TYPES["bf16"].highest == 3.3895313892515355e38
    assert TYPES["fp32"].highest == 3.4028234663852886e38
    assert TYPES["fp64"].highest == sys.float_info.max
    assert (TYPES["int8"].lowest, TYPES["int8"].highest, TYPES["uint8"].highest) == (-128, 127, 255)


def test_an_unknown_type_is_refused_with_the_nearest() -> None:
    with pytest.raises(AccelsimError, match=r'x.yaml:1:4: a: no data type "pf16"; did you mean "fp16"'):
        data_type(document("a: pf16").mapping()["a"])
