"""A reader that waits for a sum over what it reads: where the operand is gone by then, and where it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from random import Random

import pytest

from accelsim.arch import load_arch
from accelsim.cost.images import Counter, operands
from accelsim.cost.waits import Waiting
from accelsim.einsum.ast import Access
from accelsim.einsum.cascade import Einsum
from accelsim.errors import AccelsimError
from accelsim.mapping import load_mapping
from accelsim.mapping.model import Group
from accelsim.simulate import simulate
from accelsim.workload import load_workload
from tests.cost.brute import Brute
from tests.cost.drawn import draw
from tests.cost.machines import Case, Sample, case, sample, written
from tests.cost.points import Key

Element = tuple[str, Key]
SEEDS = 60


def softmax(mask: str = "", summed: str = "", read: str = "GM[p]", late: str = "") -> Sample:
    """A softmax over keys m, without its product: scores, their maximum, and the numerators that wait for it."""
    return Sample(
        "softmax",
        "A: [p, m]",
        "SN: [p, m]",
        "p: P, m: M",
        {
            f"QK[p,m] = A[p,m] * 2{mask}": "mul",
            f"GM[p] = max(QK[p,m]) over m{summed}": "max",
            f"SN[p,m] = exp(QK[p,m] - {read}){late}": "exp(a-b)",
        },
        "MP",
        four_bit=False,
    )


GROUP = "einsums: [QK, GM, SN]"
LINE = "bind: {line: [QK, GM, SN]}\n"


def mapped(one: Sample, group: str, rest: str = "", sizes: Mapping[str, int] | None = None) -> Case:
    split = "split: {m: {m1: rest, m0: 2}}\n"
    return case(one, sizes or {"M": 4, "P": 4}, f"{split}groups:\n  - {{{group}, {GROUP}}}\n{LINE}{rest}")


def refusal(one: Case, depth: str = "analytic") -> str:
    """The error, without the folder of its file."""
    with pytest.raises(AccelsimError) as caught:
        simulate(one.arch, one.workload, one.mapping, depth)
    return str(caught.value).rpartition("drawn.yaml:")[2]


NEEDS = "but SN, which reads it, waits for GM, which goes through all of m1 first"
PLAIN = f"QK stays in registers for one iteration of m1, {NEEDS}"
OUTSIDE = "keep it outside m1, or give it a home"
KEPT = "keep: {l1: {tensors: {QK: {at: AT}}}}\n"
FORWARD = "forward: [QK -> SN]\n"


@pytest.mark.parametrize("depth", ["analytic", "cycle"])
@pytest.mark.parametrize(
    ("loops", "rest", "text"),
    [
        ("p, m1", "", f"6:5: groups[0]: {PLAIN}: {OUTSIDE}"),
        ("m1, p", "", f"6:5: groups[0]: {PLAIN}: {OUTSIDE}"),
        ("p, m1, m0", "", f"6:5: groups[0]: {PLAIN}: {OUTSIDE}"),
        ("m1", "spatial: {line: {lanes: [m0]}}\n", f"6:5: groups[0]: {PLAIN}: {OUTSIDE}"),
        (
            "p, m1",
            KEPT.replace("AT", "m1"),
            f"8:27: keep.l1.tensors.QK: QK is kept at m1, {NEEDS}: {OUTSIDE}",
        ),
        (
            "m1, p",
            KEPT.replace("AT", "p"),
            f"8:27: keep.l1.tensors.QK: QK is kept at p, {NEEDS}: {OUTSIDE}",
        ),
        ("p, m1", KEPT.replace("AT", "p") + FORWARD, f"6:5: groups[0]: {PLAIN}: do not forward it"),
        ("p, m1", "home: {QK: dram}\n" + FORWARD, f"6:5: groups[0]: {PLAIN}: do not forward it"),
    ],
)
def test_what_is_gone_when_the_sum_is_there(loops: str, rest: str, text: str, depth: str) -> None:
    assert refusal(mapped(softmax(), f"loops: [{loops}]", rest), depth) == text


def test_of_three_passes_each_waits() -> None:
    """The cascade of a softmax with its sum and its quotient, on the shipped hardware."""
    text = (
        "schema: accelsim/mapping/1\nname: one-group\nfor: {arch: edge, function: attention, cascade: 3pass}\n"
        "split: {m: {m1: rest, m0: rows(pe2d)}, p: {p1: rest, p0: cols(pe2d)}}\n"
        "groups:\n  - {loops: [b, h, p1, m1], einsums: [QK, GM, SN, SD, A, AV]}\n"
        "spatial: {pe2d: {rows: m0, cols: p0}, pe1d: {lanes: p0}}\n"
        "bind: {pe2d: [QK, AV], pe1d: [GM, SN, SD, A]}\nkeep: {buffer: {tensors: {QK: {at: p1}}}}\n"
    )
    workload = load_workload("bert-3pass", ["L=1024"])
    for kept, said in (("QK", "SN stays in registers for one iteration of m1, but A, "), ("SN", "QK stays in ")):
        mapping = load_mapping(written("one-group", text.replace("QK: {at: p1}", f"{kept}: {{at: p1}}")))
        with pytest.raises(AccelsimError, match=f"one-group.yaml:6:5: groups.0.: {said}"):
            simulate(load_arch("edge"), workload, mapping)
    both = text.replace("{QK: {at: p1}}", "{QK: {at: p1}, SN: {at: p1}}")
    assert simulate(load_arch("edge"), workload, load_mapping(written("one-group", both))).cycles
    short = load_workload("bert-3pass", ["L=32"])  # all keys are one tile: m1 has one iteration
    assert simulate(load_arch("edge"), short, load_mapping(written("one-group", text))).cycles


BLOCKS = " where m//2 == p//2"
GOOD: dict[str, tuple[Sample, str, str]] = {
    "registers hold what an iteration makes": (softmax(), "loops: [p]", ""),
    "a loop over other coordinates": (softmax(), "loops: [p]", "spatial: {line: {lanes: [m1, m0]}}\n"),
    "kept outside the loop": (softmax(), "loops: [p, m1]", KEPT.replace("AT", "p")),
    "kept for all": (softmax(), "loops: [m1, p]", KEPT.replace("AT", "outside")),
    "a home": (softmax(), "loops: [p, m1]", "home: {QK: dram}\n"),
    "kept in name only": (softmax(), "loops: [p, m1]", "keep: {l1: {tensors: {QK: {at: m1, fraction: 0}}}}\n"),
    "a loop that lies on the array": (softmax(), "loops: [p, m1]", "spatial: {line: {lanes: [m1]}}\n"),
    "a reader with loops of its own": (softmax(), "loops: [p, m1], at: {SN: [p]}", ""),
    "every query has its keys in one tile": (softmax(BLOCKS), "loops: [p, m1]", ""),
    "a sum over what the reader does not read": (
        softmax(summed=" where m <= p", late=" where m > p"),
        "loops: [p, m1]",
        "",
    ),
    "a sum of other queries": (softmax(read="GM[p//2]"), "loops: [m1, p]", ""),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_still_there_is_accepted(name: str) -> None:
    one, group, rest = GOOD[name]
    assert mapped(one, group, rest).result.seconds > 0


def test_more_than_a_tile_of_a_band_is_refused() -> None:
    """Blocks of 3 keys, tiles of 2: some query has keys in two tiles."""
    band = mapped(softmax(" where m//3 == p//2"), "loops: [p, m1]", "", {"M": 6, "P": 4})
    assert refusal(band) == f"6:5: groups[0]: {PLAIN}: {OUTSIDE}"


ONE_PASS = {"E": 2, "F": 2, "M": 6, "P": 3, "T": 2}


@pytest.mark.parametrize(("loops", "good"), [("m1, p", True), ("p, m1", True), ("m1, m0, p", False)])
def test_a_running_maximum_waits_for_its_own_step_only(loops: str, good: bool) -> None:
    names = ", ".join(sample("one-pass").operators)
    text = f"groups: [{{loops: [{loops}], einsums: [{names}]}}]\nbind: {{line: [{names}]}}\n"
    one = case(sample("one-pass"), ONE_PASS, text)
    if good:
        assert one.result.seconds > 0
    else:
        assert "QK stays in registers for one iteration of m0, but SLN, which reads it, waits for LM" in refusal(one)


# Whatever is refused is gone: two points that need each other's operand, in different iterations.


@dataclass(frozen=True)
class Reading:
    """A reader in a group of what a maker makes there; `at` is the loop for an iteration of which that stays."""

    brute: Brute
    group: Group
    maker: Einsum
    reader: Einsum
    at: str | None

    def iterations(self, einsum: Einsum) -> list[Key]:
        loops = self.group.loops_of(einsum.name) if self.at is None else self.brute.prefix(self.group, einsum, self.at)
        return self.brute.iterations(einsum, loops or ())

    def elements(self, einsum: Einsum, access: Access) -> list[Element]:
        found = self.brute.lines.elements(access, self.brute.points(einsum))
        return [(access.tensor, key or ()) for key in found]

    def needs(self) -> dict[Element, set[Element]]:
        """Every element that the group makes, and the elements of the maker that go into it."""
        found = {element: {element} for element in self.elements(self.maker, self.maker.target)}
        others = [self.brute.placement.einsum(name) for name in self.group.einsums if name != self.maker.name]
        before = -1
        while before != (before := sum(map(len, found.values()))):
            for einsum in others:
                into = self.elements(einsum, einsum.target)
                for access in operands(einsum):
                    for made, read in zip(into, self.elements(einsum, access), strict=True):
                        found[made] = found.get(made, set()) | found.get(read, set())
        return found

    def is_gone(self) -> bool:
        needs, made, read = self.needs(), dict[Element, set[Key]](), set[tuple[Element, Key, Element]]()
        for element, key in zip(self.elements(self.maker, self.maker.target), self.iterations(self.maker), strict=True):
            made.setdefault(element, set()).add(key)
        into, keys = self.elements(self.reader, self.reader.target), self.iterations(self.reader)
        for access in operands(self.reader):
            if access.tensor == self.maker.tensor:
                read |= set(zip(self.elements(self.reader, access), keys, into, strict=True))
        return any(
            key != later and made[first].isdisjoint(made[second]) and second in needs[one] and first in needs[two]
            for (first, key, one), (second, later, two) in product(read, read)
        )


def refused(brute: Brute) -> Iterator[Reading]:
    placement = brute.placement
    for group in placement.plan.groups:
        inside = [placement.einsum(name) for name in group.einsums]
        waiting = Waiting(placement, Counter.of(placement), group)
        for maker, reader, at in product(inside, inside, (None, *group.loops)):
            if maker is not reader and waiting.outlasting(maker, reader, at) is not None:
                yield Reading(brute, group, maker, reader, at)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["causal", "window", "grouped", "one-pass"])
def test_what_is_refused_cannot_be(name: str) -> None:
    found = 0
    for seed in range(SEEDS):
        for reading in refused(Brute(case(sample(name), *draw(Random(seed), sample(name))).placement)):
            assert reading.is_gone(), (seed, reading.maker.name, reading.reader.name, reading.at)
            found += 1
    assert found > SEEDS // 10


def test_where_nothing_is_read_as_it_was_written_nothing_is_refused() -> None:
    for seed in range(SEEDS):
        assert not list(refused(Brute(case(sample("shifted"), *draw(Random(seed), sample("shifted"))).placement)))
