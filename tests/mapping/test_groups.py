"""What a group says of its own splits and kept tensors holds in it, and in no other group."""

from __future__ import annotations

import pytest

from accelsim.errors import AccelsimError
from accelsim.mapping import load_mapping
from accelsim.mapping.capacity import limit_bytes, occupied
from accelsim.simulate import placed
from tests.cost.machines import Case, case, sample, tiny
from tests.mapping.small import changed, refusal

TWO = "name: two, loops: [m1]"
OWN = "name: two, split: {m: {m2: rest, m1: 2, m0: 1}}, loops: [m1]"
GROUP = "7:5: groups[1]: "
REFUSED = [
    ("split: {x: {x1: rest, x0: 2}}", f'{GROUP}split.x: unknown rank of this group "x"; known: j, m, n'),
    ("split: {k: {k1: rest, k0: 2}}", f'{GROUP}split.k: unknown rank of this group "k"; known: j, m, n'),
    ("split: {j: {j1: rest, n: 2}}", f"{GROUP}split: n is a part of n and of j"),
    ("split: {n: {m1: rest, n0: 2}}", f"{GROUP}split: m1 is a part of m and of n"),
    ("split: {m: {m1: rest, m1: 2}}", '7:39: duplicate key "m1"'),
    ("split: {m: {mm: rest, m0: 2}}", f'{GROUP}loops: unknown loop "m1"; known: j, k, m0, mm, n'),
    ("split: {m: {m1: rest, m0: 0}}", "7:43: groups[1].split.m.m0: must be positive, got 0"),
    (
        "split: {m: {m1: 2, m0: 2}}",
        "7:28: groups[1].split.m: the outermost part of a split, and no other, must be `rest`",
    ),
    ("split: {m: {m1: rest, m0: fit(l2)}}", "7:43: groups[1].split.m.m0: fit(l2): nothing is kept at l2"),
    ("keep: {l3: {tensors: {D: {at: m1}}}}", f'{GROUP}keep.l3: unknown level "l3"; known: l1, l2'),
    (
        "keep: {l1: {tensors: {D: {at: m2}}}}",
        '7:42: groups[1].keep.l1.tensors.D: at: unknown loop "m2"; known: j, k, m0, m1, n, outside',
    ),
    (
        "keep: {l1: {tensors: {A: {at: m1}}}}",
        "7:42: groups[1].keep.l1.tensors.A: at: no Einsum that touches A runs in a loop m1",
    ),
    (
        "keep: {l1: {limit: 1 B, tensors: {D: {at: outside}}}}",
        "1:1: keep.l1: tensors of group two need 30 bytes, the limit is 1: D 30",
    ),
]


@pytest.mark.parametrize(("said", "text"), REFUSED, ids=[said for said, _ in REFUSED])
def test_what_a_group_cannot_mean_is_refused(said: str, text: str) -> None:
    assert refusal(TWO, f"name: two, {said}, loops: [m1]") == text


def test_a_group_has_its_own_parts_and_the_others_those_of_the_mapping() -> None:
    placement = changed(TWO, OWN).placement
    one, two = placement.plan.groups
    assert placement.within(one) is placement
    assert placement.within(two) is placement.within(two) is placement.within(two).within(two)
    assert [placement.within(group).digits["m"] for group in (one, two)] == [
        (("m1", 2), ("m0", 1)),
        (("m2", 2), ("m1", 1), ("m0", 1)),
    ]
    assert [placement.within(group).extent("m1") for group in (one, two)] == [3, 2]
    spread = placement.within(two).spread(placement.einsum("Z"))
    assert spread == {"m0": ("lanes", 5), "j": ("lanes", 5)}, "of m0 there is one, so j has all lanes"


def test_a_part_may_belong_to_another_rank_in_another_group() -> None:
    own = "name: two, split: {m: {m: rest}, j: {m1: rest, m0: 2}}, loops: [m1]"
    placement = changed(TWO, own).placement
    one, two = placement.plan.groups
    assert [placement.within(group).owner["m1"] for group in (one, two)] == ["m", "j"]


def test_an_einsum_is_spread_over_parts_of_its_own_group() -> None:
    own = "name: two, split: {m: {m1: rest, mx: 3}}, loops: [m1]"
    found = changed(TWO, own, "line: {lanes: [j, m0]}", "Z: {lanes: mx}").placement
    assert found.within(found.plan.groups[1]).spread(found.einsum("Z")) == {"mx": ("lanes", 5)}
    text = '1:1: spatial.Z.lanes: unknown rank "m0"; known: j, k, m1, mx, n'
    assert refusal(TWO, own, "line: {lanes: [j, m0]}", "Z: {lanes: m0}") == text


def test_a_part_that_only_other_groups_have_is_told() -> None:
    """The unit would work with one of its lanes."""
    own = "name: two, split: {m: {m1: rest, mx: 3}}, loops: [m1]"
    notes = changed(TWO, own, "[m1, n]", "[m1]", "lanes: [j, m0]", "lanes: m0").result.notes
    assert notes == ("Z: group two has no part m0: nothing is spread over the lanes of line",)
    assert not changed(TWO, own, "[m1, n]", "[m1]", "lanes: [j, m0]", "lanes: [m0, mx]").result.notes


def test_what_a_group_keeps_stands_in_place_of_what_the_mapping_says() -> None:
    kept = "keep: {l1: {limit: 60 B, tensors: {A: {at: outside}}}, l2: {tensors: {Y: {at: m1}}}}"
    placement = changed("name: one, ", f"name: one, {kept}, ").placement
    one, two = placement.plan.groups
    assert occupied(placement, "l1", one) == {"A": 4, "B": 40}
    assert occupied(placement.within(one), "l1", one) == {"A": 12, "B": 40}
    assert occupied(placement.within(one), "l2", one) == {"Y": 20}
    assert [limit_bytes(placement.within(group), "l1") for group in (one, two)] == [60, 100]
    assert list(placement.within(two).plan.keep) == ["l1"]


def fitting(limit: int) -> Case:
    """Two groups that each take as many rows as fit: Y with B (40 B) beside them, Z alone."""
    split = "split: {m: {m1: rest, m0: fit(l1)}}"
    mapping = (
        f"groups:\n  - {{name: one, {split}, loops: [m1], einsums: [Y]}}\n"
        f"  - {{name: two, {split}, loops: [m1], einsums: [Z]}}\nbind: {{grid: [Y], line: [Z]}}\n"
        f"keep: {{l1: {{limit: {limit} B, tensors: {{B: {{at: outside}}, A: {{at: m1}}, Y: {{at: m1}}}}}}}}\n"
    )
    return case(sample("chain"), {"M": 12, "K": 4, "N": 5, "J": 3}, mapping)


@pytest.mark.parametrize("limit", [52, 64, 76, 90, 130])
def test_each_group_takes_what_fits_it_alone(limit: int) -> None:
    """A row takes 2 B of A and 10 B of Y in the first group, 10 B of Y in the second."""
    placement = fitting(limit).placement
    rows = [placement.within(group).digits["m"][0][1] for group in placement.plan.groups]
    divisors = (1, 2, 3, 4, 6, 12)
    assert rows == [max(d for d in divisors if 40 + 12 * d <= limit), max(d for d in divisors if 10 * d <= limit)]


def test_what_does_not_fit_one_group_is_refused_there() -> None:
    with pytest.raises(AccelsimError) as caught:
        fitting(51).result  # noqa: B018
    text = "no tile fits: keep.l1: tensors of group one need 52 bytes, the limit is 51: B 40, A 2, Y 10"
    assert str(caught.value).endswith(f"groups[0].split.m.m0: {text}")


def test_sizes_of_a_group_can_be_set_by_its_name_and_by_cases() -> None:
    one = changed(TWO, OWN)
    mapping = load_mapping(one.mapping.path, ["groups.two.split.m.m1=3"])
    (placement,) = placed(tiny(), one.workload, mapping)
    assert placement.within(placement.plan.groups[1]).digits["m"][0] == ("m2", 3)
    cases = "cases: [{when: {M: 6}, set: {groups.two.split.m.m1: 3}}]\n"
    found = changed(TWO, OWN, "keep:", f"{cases}keep:").placement
    assert found.within(found.plan.groups[1]).digits["m"][0] == ("m2", 3)


def test_what_the_cascade_splits_all_groups_have() -> None:
    einsums = "QK, LM, RM, SLN, SLD, SLNV, PRM, RD, RNV, AV"
    group = f"{{split: {{m: {{m1: rest, m0: 2}}}}, loops: [p], einsums: [{einsums}]}}"
    mapping = f"groups: [{group}]\nbind: {{line: [{einsums}]}}"
    with pytest.raises(AccelsimError) as caught:
        case(sample("one-pass"), {"E": 2, "F": 2, "M": 6, "P": 3, "T": 2}, mapping).result  # noqa: B018
    text = "groups[0]: split.m: the cascade itself has these parts, so all groups have: say it outside the groups"
    assert str(caught.value).endswith(text)
