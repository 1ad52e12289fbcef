"""In-flight counts and copies: chosen at depth cycle, where they help, without a change at depth analytic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from accelsim.arch import Arch, load_arch
from accelsim.errors import AccelsimError
from accelsim.mapper.choose import Chosen, find_mapping, mapping_texts, mappings, placements
from accelsim.mapper.limits import Limits
from accelsim.mapper.schedule import Outcome, Plain, Setting, descent, scheduled, with_value
from accelsim.simulate import simulate_placed
from accelsim.workload import Workload, load_workload

CASES = [
    ("fusemax", "bert", ["L=1024"]),
    ("flat", "bert", ["L=1024"]),
    ("edge", "gemm", ["M=40", "N=70"]),
    ("edge", "attention-3pass", ["B=1", "H=2", "E=16", "M=96"]),
]


def seconds(arch: Arch, workload: Workload, found: Chosen, texts: list[str], depth: str) -> Fraction:
    placed = placements(arch, found.best, mappings(found.best, texts))
    return simulate_placed(arch, workload, placed, depth).seconds


@pytest.mark.slow
@pytest.mark.parametrize(("arch_name", "workload_name", "sizes"), CASES)
def test_a_schedule_is_never_longer_and_changes_nothing_at_depth_analytic(
    arch_name: str, workload_name: str, sizes: list[str]
) -> None:
    arch, workload = load_arch(arch_name), load_workload(workload_name, sizes)
    found = find_mapping(arch, workload)
    plain = list(mapping_texts(arch, found.best))
    chosen = [scheduled(arch, way.offer, way.found, Limits()) for way in found.best.ways]
    texts = [each.mapping for each in chosen]
    assert seconds(arch, workload, found, texts, "analytic") == seconds(arch, workload, found, plain, "analytic")
    before, after = (seconds(arch, workload, found, each, "cycle") for each in (plain, texts))
    assert after <= before
    assert (after < before) == any(each.chosen for each in chosen)


K, V = (Setting(("groups", 0, "keep", "buffer", "tensors", name, "copies"), "g", name) for name in "KV")
WINDOW = Setting(("groups", 0, "in_flight"), "g", None)
PLAIN: Plain = {"groups": [{"keep": {"buffer": {"tensors": {"K": {"at": "m"}, "V": {"at": "m"}}}}}]}


def kept(plain: Plain, name: str) -> int:
    tensors: dict[str, Any] = plain["groups"][0]["keep"]["buffer"]["tensors"]
    return int(tensors[name].get("copies", 1))


def outcome(ticks: int, *waited_for: tuple[str, str], in_flight: int = 2) -> Outcome:
    return Outcome(Fraction(ticks), frozenset(waited_for), {"g": in_flight})


def test_two_tensors_that_wait_for_each_other_are_given_room_together() -> None:
    def run(plain: Plain) -> Outcome:
        both = kept(plain, "K") == kept(plain, "V") == 2
        return outcome(5 if both else 9, ("buffer", "K.load"), ("buffer", "V.load"))

    best, said = descent(PLAIN, [K, V, WINDOW], run)
    assert said == ["copies of K 2", "copies of V 2"]
    assert kept(best, "K") == kept(best, "V") == 2


def test_what_is_not_needed_is_taken_back() -> None:
    def run(plain: Plain) -> Outcome:
        return outcome(9 - kept(plain, "K"), ("buffer", "K.load"), ("dependency", "V.load"))

    assert descent(PLAIN, [K, V, WINDOW], run)[1] == ["copies of K 2"]


def test_what_has_no_room_is_tried_one_by_one() -> None:
    def run(plain: Plain) -> Outcome:
        if kept(plain, "K") + kept(plain, "V") > 3:
            raise AccelsimError("no room")
        return outcome(9 - kept(plain, "V"), ("buffer", "K.load"), ("buffer", "V.load"))

    assert descent(PLAIN, [K, V, WINDOW], run)[1] == ["copies of V 2"]


def test_the_window_grows_while_units_wait_for_it() -> None:
    def run(plain: Plain) -> Outcome:
        window = plain["groups"][0].get("in_flight", 2)
        return outcome(max(3, 9 - window), *([("window", "")] if window < 8 else []), in_flight=window)

    best, said = descent(PLAIN, [K, V, WINDOW], run)
    assert said == ["in flight 8"]
    assert best["groups"][0]["in_flight"] == 8


def test_a_value_is_set_in_a_copy() -> None:
    assert kept(with_value(PLAIN, K.path, 2), "K") == 2
    assert kept(PLAIN, "K") == 1
