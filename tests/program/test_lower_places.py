"""Where tiles lie: the elements of every tile by enumeration, every byte in its place, and none in two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import product
from math import prod
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accelsim.arch import Arch, load_arch
from accelsim.cost.analytic import step_cost
from accelsim.cost.images import Counter, Visit
from accelsim.errors import AccelsimError
from accelsim.mapping import Placement
from accelsim.mapping.model import Group
from accelsim.memory.bursts import Run
from accelsim.program.dram import tile_at
from accelsim.program.execute import execute
from accelsim.program.lower.elements import Elements
from accelsim.program.lower.places import layout_of, runs_of
from accelsim.program.lower.program import program_of
from accelsim.program.model import Program, Task, bodies
from accelsim.program.nest import Nest
from accelsim.program.plan import values_of
from accelsim.program.text import render_program
from accelsim.simulate import load_named, placed, simulate
from tests.cost.brute import Brute
from tests.cost.drawn import GONE
from tests.cost.machines import ARCH, SAMPLES, Case, Sample, case, sample, written
from tests.cost.points import accesses_in
from tests.program import random_mappings
from tests.program.random_mappings import iterations
from tests.program.test_lower_laws import check
from tests.program.test_lower_random import KEPT, REFUSED, check_bytes
from tests.tries import tries

PLAIN = "dram: {capacity: unlimited, bandwidth: 3 GB/s, component: memory}"
BEHIND = """dram:
    capacity: 4 GiB
    bandwidth: 25.6 GB/s
    component: memory
    latency: 3 ns
    dram: {model: commands, standard: LPDDR5, org: LPDDR5_16Gb_x16, timing: LPDDR5_6400, channels: 2, queue: 4,
           page: open, refresh: per-bank}"""
RANDOM = given(seed=st.integers(0, 2**32), which=st.sampled_from(SAMPLES))


def machine() -> Arch:
    """The tiny machine with a small DRAM behind it."""
    assert PLAIN in ARCH
    return load_arch(written("tiny-dram", ARCH.replace(PLAIN, BEHIND)))


def drawn(seed: int, which: Sample) -> Case:
    return case(which, *random_mappings.draw(Random(seed), which), machine())


def tensors(placement: Placement, group: Group) -> Iterator[tuple[str, list[Visit]]]:
    """What the Einsums of a group touch, with every access to it."""
    einsums = [placement.einsum(name) for name in group.einsums]
    accesses = [(einsum, access) for einsum in einsums for access in (einsum.target, *accesses_in(einsum.expr))]
    for tensor in dict.fromkeys(access.tensor for _, access in accesses):
        yield tensor, [Visit(einsum, access) for einsum, access in accesses if access.tensor == tensor]


@pytest.mark.slow
@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.filter_too_much])
@RANDOM
def test_elements_of_tiles_are_those_of_enumeration(seed: int, which: Sample) -> None:
    """Whatever stands still, and with what else is moved one iteration after another inside."""
    rng, one = Random(seed), drawn(seed, which)
    try:
        placement = one.placement
    except AccelsimError as error:
        assume(not any(reason in error.message for reason in GONE))
        raise
    for group in placement.plan.groups:
        view = placement.within(group)
        brute, counter = Brute(view), Counter.of(view)
        for tensor, visits in tensors(view, group):
            names = {coordinate for visit in visits for coordinate in visit.einsum.coordinates}
            seen = tuple(loop for loop in group.loops if view.owner[loop] in names and rng.random() < 0.6)
            along = tuple(loop for loop in seen if rng.random() < 0.7)
            inner = tuple(loop for loop in seen if loop not in along)
            shape = view.step.shapes.shapes[tensor]
            wanted = {
                (key[: len(along)], key[len(along) :], int(np.ravel_multi_index(element, shape)))
                for visit in visits
                for key, element in brute.walk(visit.einsum, [visit.access], (*along, *inner))
            }
            elements = Elements(counter, tuple(visits), seen, along)
            order = tuple(loop for loop, _ in elements.inner)
            found = [
                (place, tuple(dict(zip(order, deep, strict=True)).get(loop, 0) for loop in inner), int(number))
                for place in product(*(range(view.extent(loop)) for loop in along))
                for deep, numbers in zip(
                    product(*(range(n) for _, n in elements.inner)),
                    elements.at(dict(zip(along, place, strict=True))),
                    strict=True,
                )
                for number in numbers
            ]
            assert len(found) == len(set(found)), "each element once"
            assert set(found) == wanted, (tensor, along, inner)


def bytes_in(runs: Iterable[Run]) -> list[int]:
    """Where each byte of some stretches lies."""
    starts = ((first + number * step, size) for first, size, step, count in runs for number in range(count))
    return [byte for start, size in starts for byte in range(start, start + size)]


def moves(program: Program) -> Iterator[tuple[Task, dict[str, int], int, list[int]]]:
    """Every transfer to and from the DRAM: its coordinates, its bytes, and where each byte of its stretches lies."""
    values, places = values_of(program), {one.name: one for one in program.places}
    for outer, nest, body in bodies(program.root):
        assert not outer
        inside = Nest(tuple(loop.rank for loop in nest), tuple(loop.bound for loop in nest), {}, values)
        for task in body.tasks:
            at = inside.following(task.when)
            while at is not None and task.transfer and task.transfer.at:
                env = inside.at(at)
                runs = tile_at(places, values, task.transfer.at, env)
                yield task, env, values.at(task.transfer.bytes, env), bytes_in(runs)
                at = inside.following(task.when, after=at)


def check_places(placement: Placement, program: Program) -> None:
    """A transfer has as many bytes at its place as it moves, all of them of its tensor; loads and stores of a tensor
    reach all of it that is used."""
    layout = layout_of((placement,))
    words = {tensor: word.bytes for tensor, word in placement.step.types.items()}
    for task, _, size, lie in moves(program):
        tensor = task.name.split(".")[-2]
        word, base = words[tensor], layout[tensor]
        assert lie, task.name
        if word >= 1:
            assert 0 <= len(lie) - size < 64 * word, "a share of elements is rounded up to whole ones"
        else:
            assert len(lie) >= size
        whole = -(-prod(placement.step.shapes.shapes[tensor]) * word.numerator // word.denominator)
        assert base <= min(lie) <= max(lie) < base + whole


@pytest.mark.parametrize("name", KEPT)
def test_mappings_that_move_in_every_way(name: str) -> None:
    which, sizes, text = KEPT[name]
    one = case(sample(which), sizes, text, machine())
    program = program_of((one.placement,), "laws")
    check_bytes(one.placement, program)
    check_places(one.placement, program)


@pytest.mark.slow
@settings(max_examples=tries(40), suppress_health_check=[HealthCheck.filter_too_much])
@RANDOM
def test_laws_of_lowering_hold_with_a_dram(seed: int, which: Sample) -> None:
    """Nothing is read before it is made, bytes are those of the closed form, and `bound` is a bound."""
    one = drawn(seed, which)
    try:
        assume(iterations(one.placement) <= 60)
        program = program_of((one.placement,), "laws")
    except AccelsimError as error:
        assume(not any(reason in error.message for reason in (*GONE, *REFUSED)))
        raise
    check_bytes(one.placement, program)
    check_places(one.placement, program)
    check(one.placement)
    bound, cycle = (simulate(one.arch, one.workload, one.mapping, depth=depth) for depth in ("bound", "cycle"))
    assert bound.seconds <= cycle.seconds


def test_tensors_lie_one_after_another() -> None:
    """Row-major in the order of the ranks declared, each at a burst; K of the second head behind that of the first."""
    found = load_named("edge-lpddr5", "attention", ["B=1", "H=2", "E=8", "F=8", "M=20", "P=4"])
    placements = placed(*found)
    assert layout_of(placements) == {"Q": 0, "K": 128, "V": 768, "AV": 1408}
    text = render_program(program_of(placements, "small"))
    assert "places P1 [2] 128+320 448+320" in text
    assert "load K.load on dram moves 320 at P1[h]" in text


def test_a_share_of_a_tile_is_its_first_elements() -> None:
    assert list(runs_of(np.array([0, 1, 2, 5, 6, 7]), Fraction(2), 100)) == [(100, 6, 10, 2)]
    assert list(runs_of(np.array([0, 1, 2, 5, 6]), Fraction(2), 0)) == [(0, 6, 0, 1), (10, 4, 0, 1)]
    assert list(runs_of(np.array([1, 2, 5]), Fraction(1, 2), 8)) == [(8, 2, 0, 1), (10, 1, 0, 1)]
    assert list(runs_of(np.array([3]), Fraction(4), 0)) == [(12, 4, 0, 1)]
    assert list(runs_of(np.arange(0, 40, 2), Fraction(1), 0)) == [(0, 1, 2, 20)]


def test_stretches_hold_their_elements() -> None:
    rng = np.random.default_rng(1)
    for word in (Fraction(1), Fraction(2), Fraction(1, 2), Fraction(17, 32)):
        for _ in range(60):
            numbers = np.flatnonzero(rng.random(60) < rng.choice([0.1, 0.5, 0.95])).astype(np.int64)
            if not len(numbers):
                continue
            bytes_of = {
                byte
                for number in numbers.tolist()
                for byte in range(int(number * word), -int(-(number + 1) * word // 1))
            }
            assert set(bytes_in(runs_of(numbers, word, 0))) == bytes_of


def test_a_dram_too_small_is_refused() -> None:
    found = load_named("edge-lpddr5", "bert", ["L=65536"])
    with pytest.raises(AccelsimError) as error:
        program_of(placed(*found), "large")
    size = 4 * 64 * 12 * 64 * 65536 * 2  # Q, K, V and AV of 64 x 12 heads, in 16 bit
    assert error.value.message == f"Q, K, V, AV take {size} B, but dram has {8 << 30} B: 4 channels of LPDDR5_16Gb_x16"


def test_a_layer_has_one_place_for_a_tensor_of_two_steps() -> None:
    found = load_named("edge-lpddr5", "encoder-layer", ["B=1", "H=2", "E=8", "L=32", "D=16", "S=32"])
    placements = placed(*found)
    layout = layout_of(placements)
    starts = sorted(layout.values())
    assert len(set(starts)) == len(starts)
    run = execute(program_of(placements, "layer"))
    assert run.ticks
    assert len(run.stages) == sum(len(step_cost(placement).parts) for placement in placements)
