"""What is chosen is the best of all that is on offer, by every objective, and costs what the other depths say."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from pathlib import Path

import pytest

from accelsim.arch import Arch, load_arch
from accelsim.errors import AccelsimError
from accelsim.mapper.choose import Chosen, find_mapping, mapping_texts, mappings, placements
from accelsim.mapper.document import document_name
from accelsim.mapper.group import Tally
from accelsim.mapper.limits import Limits
from accelsim.mapper.objective import OBJECTIVES, Objective, best_of, pruned, value_of
from accelsim.mapper.offers import offers
from accelsim.mapper.problem import Problem
from accelsim.mapper.room import smallest_capacity
from accelsim.mapper.search import Found, best_mappings
from accelsim.mapping import load_mapping
from accelsim.simulate import simulate, simulate_placed
from accelsim.workload import Workload, load_workload, steps

TINY = ("B=1", "H=1", "E=4", "M=12")
LAYER = ("B=1", "L=24", "H=2", "E=8", "D=16", "S=48")
PAIRS = Limits(most_fused=2)
SCAN = """\
schema: accelsim/workload/1
name: scan
function: {inputs: {X: [i, p]}, outputs: {Y: [p]}}
params: {I: 6, P: 7}
ranks: {i: I, p: P}
types: {default: fp16}
einsums: |
  R[0,p] = 0
  R[i+1,p] = R[i,p] + X[i,p]
  Y[p] = R[I,p] * R[I,p]
"""


def arch(*overrides: str) -> Arch:
    return load_arch("edge", overrides)


@lru_cache
def chosen(name: str, sizes: tuple[str, ...], objective: Objective = "latency") -> tuple[Arch, Workload, Chosen]:
    edge, workload = arch(), load_workload(name, sizes)
    return edge, workload, find_mapping(edge, workload, objective, PAIRS)


def scan(tmp_path: Path, text: str = SCAN) -> Workload:
    path = tmp_path / "scan.yaml"
    path.write_text(text)
    return load_workload(str(path))


def point(seconds: float, energy_pj: float, held_bytes: float = 0.0) -> Found:
    return Found(seconds, energy_pj, held_bytes, ())


# What is best.


@pytest.mark.parametrize(
    ("objective", "best"), [("latency", (1, 40)), ("energy", (9, 8)), ("edp", (2, 10))], ids=OBJECTIVES
)
def test_the_least_by_the_objective(objective: Objective, best: tuple[float, float]) -> None:
    assert best_of([point(3, 9), point(1, 40), point(2, 10), point(9, 8)], objective) == point(*best)


def test_ties_go_to_energy_then_latency_then_bytes_then_order() -> None:
    near = 1 + 1e-13
    assert best_of([point(1, 5, 0), point(1 * near, 4, 9)], "latency") == point(near, 4, 9)
    assert best_of([point(2, 4, 0), point(1, 4 * near, 9)], "energy") == point(1, 4 * near, 9)
    assert best_of([point(4, 1), point(1, 4)], "edp") == point(4, 1)
    assert best_of([point(1, 1, 9), point(1, 1, 8)], "latency") == point(1, 1, 8)
    first, second = point(1, 1, 8), point(1, 1, 8)
    assert best_of([first, second], "latency") is first


@pytest.mark.parametrize("room", [False, True])
def test_what_is_left_out_of_a_front_is_beaten_and_nothing_else(room: bool) -> None:
    points = [point(s, e, h) for s, e, h in product((1, 2, 3), (1, 2, 3), (1, 2)) if s + e + h > 4]
    kept = pruned(points, room=room)

    def beats(a: Found, b: Found) -> bool:
        return a.seconds <= b.seconds and a.energy_pj <= b.energy_pj and (not room or a.held_bytes <= b.held_bytes)

    assert all(any(beats(q, p) for q in kept) for p in points)
    assert not any(beats(q, p) for p in kept for q in kept if q is not p)


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_form_has_anything_better(objective: Objective) -> None:
    edge, workload, found = chosen("attention", TINY, objective)
    every = [
        each
        for offer in offers(edge, workload)[0]
        for each in best_mappings(Problem(edge, offer.steps[0]), PAIRS, Tally())
    ]
    least = min(value_of(each.seconds, each.energy_pj, objective) for each in every)
    assert value_of(found.best.seconds, found.best.energy_pj, objective) == pytest.approx(least, rel=1e-12)
    second = found.choices[0].second
    assert second is not None
    assert value_of(second.seconds, second.energy_pj, objective) >= least * (1 - 1e-12)


@pytest.mark.slow
def test_a_point_is_best_in_what_it_was_asked_for() -> None:
    found = {objective: chosen("attention", TINY, objective)[2].best for objective in OBJECTIVES}
    for mine, other in product(OBJECTIVES, OBJECTIVES):
        values = [value_of(found[name].seconds, found[name].energy_pj, mine) for name in (mine, other)]
        assert values[0] <= values[1] * (1 + 1e-12)


def test_what_has_no_rival_is_compared_with_one_einsum_at_a_time(tmp_path: Path) -> None:
    chain = "inputs: {X: [p]}, outputs: {Y: [p]}", "  A[p] = X[p] * X[p]\n  Y[p] = A[p] * A[p]\n"
    head = SCAN.partition("inputs")[0]
    text = f"{head}{chain[0]}}}\nparams: {{P: 64}}\nranks: {{p: P}}\ntypes: {{default: fp16}}\neinsums: |\n{chain[1]}"
    edge, workload = arch(), scan(tmp_path, text)
    (choice,) = find_mapping(edge, workload).choices
    (alone,) = find_mapping(edge, workload, "latency", Limits(most_fused=1)).choices
    assert (choice.way.grouped, alone.second) == ("A Y", None)
    assert choice.second is not None
    assert (choice.second.grouped, choice.second.seconds) == ("A | Y", alone.way.seconds)


# What is on offer.


def given(name: str, *sizes: str) -> list[tuple[str, dict[str, int]]]:
    return [(offer.cascade, dict(offer.given)) for offer in offers(arch(), load_workload(name, sizes))[0]]


def test_every_form_with_the_values_of_its_parameter() -> None:
    found = given("attention", "B=1", "H=1", "E=4", "M=64")
    assert [form for form, values in found if not values] == ["3pass", "3pass-deferred"]
    assert [v for form, v in found if form == "1pass"] == [{"M0": 256}, {"M0": 32}]


def test_an_array_longer_than_the_rank_gives_no_value() -> None:
    assert given("attention-1pass", "B=1", "H=1", "E=4", "M=31") == [("1pass", {"M0": 256})]


def test_what_was_set_is_not_varied() -> None:
    assert given("attention-1pass", "B=1", "H=1", "E=4", "M=64", "M0=8") == [("1pass", {"M0": 8})]
    assert {form for form, _ in given("attention", "B=1", "H=1", "E=4", "M=64", "cascade=2pass")} == {"2pass"}


def test_the_mapping_sets_the_parameter_that_was_chosen() -> None:
    edge, workload = arch(), load_workload("attention-2pass", ["B=1", "H=1", "E=4", "M=64"])
    found = find_mapping(edge, workload, "latency", PAIRS)
    assert {offer.given["M0"] for offer, _ in found.choices[0].forms} == {32, 256}
    for candidate in found.front:
        (mapping,) = mappings(candidate, mapping_texts(edge, candidate, PAIRS))
        assert simulate(edge, workload, mapping).params["M0"] == candidate.ways[0].offer.given["M0"]


# What it costs is what the other depths say.


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_file_gives_what_the_search_says(tmp_path: Path, objective: Objective) -> None:
    edge, workload, found = chosen("attention", TINY, objective)
    (way,), (choice,) = found.best.ways, found.choices
    path = tmp_path / "found.yaml"
    path.write_text(choice.mapping)
    mapping = load_mapping(str(path))
    assert mapping.name == document_name(edge, way.offer)
    result = simulate(edge, workload, mapping)
    assert float(result.seconds) == pytest.approx(found.best.seconds, rel=1e-12)
    assert float(result.energy_pj or 0) == pytest.approx(found.best.energy_pj, rel=1e-12)
    assert result == simulate_placed(edge, workload, placements(edge, found.best, [mapping]))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_point_of_the_front_can_be_run(objective: Objective) -> None:
    edge, workload, found = chosen("attention-3pass", TINY, objective)
    for candidate in found.front:
        placed = placements(edge, candidate, mappings(candidate, mapping_texts(edge, candidate, PAIRS)))
        result = simulate_placed(edge, workload, placed)
        assert float(result.seconds) == pytest.approx(candidate.seconds, rel=1e-12)


# Layers.


def test_a_layer_is_the_sum_of_its_steps() -> None:
    edge, workload, found = chosen("encoder-layer-3pass", LAYER)
    result = simulate_placed(
        edge, workload, placements(edge, found.best, mappings(found.best, mapping_texts(edge, found.best, PAIRS)))
    )
    assert float(result.seconds) == pytest.approx(found.best.seconds, rel=1e-12)
    assert float(result.energy_pj or 0) == pytest.approx(found.best.energy_pj, rel=1e-12)
    alone = [
        best_of(best_mappings(Problem(edge, step), PAIRS, Tally()), "latency").seconds
        for step in steps(workload, lambda f: "3pass" if f == "attention" else None)
    ]
    assert found.best.seconds == pytest.approx(sum(alone), rel=1e-12)


def test_steps_of_one_shape_share_a_search_and_shapes_share_a_file() -> None:
    _, _, found = chosen("encoder-layer-3pass", LAYER)
    ways = {way.offer.function: way for way in found.best.ways}
    assert [len(ways["projection"].offer.steps), len(ways["projection"].found)] == [3, 1]
    assert [len(ways["linear"].offer.steps), len(ways["linear"].found)] == [2, 2]
    (text,) = (c.mapping for c in found.choices if c.way.offer.function == "linear")
    assert "when: {D: 16, S: 48}" in text
    assert "when: {D: 48, S: 16}" in text


# What does not fit.


@pytest.mark.parametrize("most", [1, None])
def test_the_smallest_capacity_is_the_smallest(tmp_path: Path, most: int | None) -> None:
    workload, limits = scan(tmp_path), Limits(most_fused=most)
    least = smallest_capacity(arch(), steps(workload)[0], "buffer", limits)
    assert least == 2  # the state of one p, in fp16
    assert find_mapping(arch(f"levels.buffer.capacity={least} B"), workload, "latency", limits)
    with pytest.raises(AccelsimError) as caught:
        find_mapping(arch("levels.buffer.capacity=1 B"), workload, "latency", limits)
    assert str(caught.value) == "no mapping on edge fits: scan: buffer of 1 B is too small, 2 B would do"


def test_what_recurs_cannot_be_parted() -> None:
    workload = load_workload("attention-1pass", [*TINY, "M0=4"])
    with pytest.raises(AccelsimError) as caught:
        find_mapping(arch(), workload, "latency", Limits(most_fused=3))
    assert str(caught.value).endswith("SPD SPNV RD RNV recur together, a group of 4, and at most 3 are allowed")


def test_an_operator_that_nothing_has(tmp_path: Path) -> None:
    workload = scan(tmp_path, SCAN.replace("R[I,p] * R[I,p]", "tanh(R[I,p])"))
    with pytest.raises(AccelsimError, match=r"no mapping on edge fits: scan: no unit can run Y: unit pe2d: .*tanh"):
        find_mapping(arch(), workload)
