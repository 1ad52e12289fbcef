"""Reading mappings: every key that a document may have, and the shipped mapping that is taken when none is given."""

from __future__ import annotations

import pytest

from accelsim.arch import load_arch
from accelsim.errors import AccelsimError
from accelsim.mapping import default_mapping, find_mappings, load_mapping, mappings_for
from accelsim.mapping.read import read_plan
from tests.mapping.small import refusal

REST = "4:12: split.m: the outermost part of a split, and no other, must be `rest`"
ONCE = "6:5: groups[0]: phases must hold every Einsum of the group once; look at "
REFUSED = [
    ("m1: rest", "m1: 3", REST),
    ("m0: 2", "m0: rest", REST),
    ("m0: 2", "m0: fit(l1), mm: fit(l1)", "4:12: split.m: at most one part of a split can be `fit(level)`"),
    ("m0: 2", "m0: 1/2", '4:28: found "/", expected an operator or the end of the text'),
    (
        "einsums: [Y]}",
        "einsums: [Y], overlap: phase}",
        '6:56: groups[0].overlap: unknown overlap "phase"; did you mean "phases"?',
    ),
    ("einsums: [Y]}", "einsums: [Y], overlap: phases}", f"{ONCE}Y"),
    ("einsums: [Y]}", "einsums: [Y], overlap: phases, phases: [[Y], [Y]]}", f"{ONCE}Y"),
    ("einsums: [Y]}", "einsums: [Y], overlap: phases, phases: [[Z]]}", f"{ONCE}Y, Z"),
    ("einsums: [Y]}", "einsums: [Y], phases: [[Y]]}", "6:5: groups[0]: phases are listed, but overlap is pipeline"),
    (
        "einsums: [Y]}",
        "einsums: [Y], in_flight: 0}",
        '6:58: groups[0].in_flight: must be a positive integer, got "0"',
    ),
    ("line: [Z]", "line: [Z, Y]", "9:29: bind.line[1]: Y is bound to grid and to line"),
    ("rows: m0", "row: m0", '8:18: spatial.grid.row: unknown key "row"; did you mean "rows"?'),
    ("100 B", "100", '10:20: keep.l1.limit: missing unit: expected a quantity in B, got "100"'),
    (
        "A: {at: m1}",
        "A: {on: m1}",
        '10:41: keep.l1.tensors.A.on: unknown key "on"; known: at, copies, fraction, overwrites',
    ),
    ("copies: 1", "copies: 0", '10:75: keep.l1.tensors.B.copies: must be a positive integer, got "0"'),
    ("copies: 1", "fraction: 3/2", '10:77: keep.l1.tensors.B.fraction: must be between 0 and 1, got "3/2"'),
    ("copies: 1", "fraction: half", '10:77: keep.l1.tensors.B.fraction: must be a number, got "half"'),
    ("keep:", "forward: [Y > Z]\nkeep:", '10:11: forward[0]: must be "TENSOR -> EINSUM", got "Y > Z"'),
    (
        "keep:",
        'cases: [{when: {M: "~7"}, set: {}}]\nkeep:',
        '10:20: cases[0].when.M: must be a size or a test such as "<= 4096", got "~7"',
    ),
    (
        "keep:",
        "cases: [{when: {M: 6}, set: {splits.m.m0: 3}}]\nkeep:",
        '10:43: "splits.m.m0": no "splits"; did you mean "split"?',
    ),
    ("bind:", "bint:", '9:1: bint: unknown key "bint"; did you mean "bind"?'),
]


@pytest.mark.parametrize(("old", "new", "text"), REFUSED, ids=[text[:60] for _, _, text in REFUSED])
def test_what_is_wrong_is_refused_at_its_place(old: str, new: str, text: str) -> None:
    assert refusal(old, new) == text


@pytest.mark.parametrize("name", [name for name, _ in find_mappings()])
def test_every_shipped_mapping_loads_and_says_what_it_is(name: str) -> None:
    mapping = load_mapping(name)
    assert mapping.name == name
    assert mapping.description
    assert mapping.source
    for case in mapping.cases:
        assert read_plan(mapping.document, case).groups


@pytest.mark.parametrize(
    ("arch", "function", "name"),
    [
        ("fusemax", "attention", "fusemax"),
        ("edge", "attention", "fusemax"),
        ("fusemax", "causal-attention", "fusemax"),
        ("fusemax-arch", "attention", "fusemax-arch"),
        ("fusemax-published", "attention", "fusemax-published"),
        ("fusemax-published", "projection", "projection"),
        ("flat-equal-costs", "attention", "flat"),
        ("unfused", "linear", "linear"),
    ],
)
def test_the_mapping_of_an_architecture_or_of_its_nearest_base(arch: str, function: str, name: str) -> None:
    assert default_mapping(load_arch(arch), function).name == name


def test_no_mapping_names_what_there_is() -> None:
    with pytest.raises(
        AccelsimError, match="no mapping of attention-2pass on fusemax; shipped for it: attention-1pass"
    ):
        default_mapping(load_arch("fusemax"), "attention", "2pass")
    assert mappings_for(load_arch("fusemax"), "nothing") == ()


def test_overrides_go_into_the_document() -> None:
    mapping = load_mapping("fusemax", ["groups.attention.in_flight=2", "mapping.split.p.p1=3"])
    plan = read_plan(mapping.document)
    assert plan.groups[0].in_flight == 2
    assert plan.splits["p"][1][1].node.text == "3"
    assert mapping.sha256 != load_mapping("fusemax").sha256
