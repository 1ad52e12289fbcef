"""What is worked out once for many nests is what each nest costs by itself; a search leaves no cyclic garbage."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from accelsim.mapper.columns import Columns
from accelsim.mapper.grids import Grid
from accelsim.mapper.group import Tally
from accelsim.mapper.known import Kept, Known
from accelsim.mapper.limits import Limits
from accelsim.mapper.members import Members, units_of
from accelsim.mapper.nest import Nest
from accelsim.mapper.pick import Regime, regimes
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import best_mappings, is_whole
from accelsim.mapper.tensors import Scene
from tests.mapper.machines import NAMES, drawn_problem
from tests.source import ROOT

SEEDS = 8
NESTS = 12


def drawn(rng: Random, name: str) -> tuple[Problem, Members, list[Regime]]:
    """A run of Einsums that may be a group, in nests drawn at random."""
    problem, limits = drawn_problem(rng, name), Limits(registers=rng.random() < 0.8)
    names = [e.name for e in problem.einsums]
    runs = [names[a:b] for b in range(1, len(names) + 1) for a in range(b) if is_whole(problem, names[a:b], limits)]
    run = rng.choice(runs)
    members = Members(Known(problem, limits), tuple(e for e in problem.einsums if e.name in run))
    usable = [regime for regime in regimes(members) if regime.choices]
    return problem, members, rng.sample(usable, min(NESTS, len(usable)))


def alone(problem: Problem, scene: Scene, kept: Kept, at: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """What one way costs [candidate, column] by the rule itself, in the whole nest and with all of its tiles."""
    way, table = kept.way(at), Columns.of(problem)
    total = np.zeros((kept.columns.shape[1], table.width))
    if way.loop:
        einsum, c, tile = way.loop
        nest = replace(scene.nest, own=((einsum, c),))
        scene = replace(scene, nest=nest, tiles={**scene.tiles, c: np.full(len(total), tile)}, spans={}, streams={})
    for keeping in way.keepings:
        row = np.empty_like(total)
        table.fill(row, scene.moved(keeping))
        total += row
    return total


def keepings(rng: Random, members: Members, chosen: list[Regime]) -> Iterator[tuple[Scene, Kept]]:
    """What is kept of each parcel, with assignments drawn at random."""
    for regime in chosen * 3:
        some = [rng.choice(choices).assignment for choices in regime.choices]
        picked = {assignment.einsum: assignment for assignment in some}
        units = units_of(members.einsums, regime.nest, picked)
        if units is None:
            continue
        tiles = members.known.grids.tiles(Grid(regime.nest, tuple(units.items()), members.steady))
        scene = Scene(members.known.problem, members.einsums, regime.nest, picked, tiles, members.known.limits)
        for parcel in members.parcels:
            yield scene, members.kept(regime.nest, picked, parcel, units)


@pytest.mark.parametrize("name", NAMES)
def test_a_shared_row_is_what_the_way_costs_in_its_own_nest(name: str) -> None:
    compared = 0
    for seed in range(SEEDS):
        rng = Random(f"{name}, {seed}")
        problem, members, chosen = drawn(rng, name)
        for scene, kept in keepings(rng, members, chosen):
            for at in rng.sample(range(len(kept.ways)), min(4, len(kept.ways))):
                np.testing.assert_allclose(kept.columns[at], alone(problem, scene, kept, at), rtol=1e-12)
                compared += 1
    assert compared > 100


@pytest.mark.slow
def test_a_nest_that_comes_from_another_process_has_the_hash_of_this_one() -> None:
    code = "import pickle, sys; from accelsim.mapper.nest import Nest; nest = Nest(('b',), ('m', 'n')); hash(nest)\n"
    code += "sys.stdout.buffer.write(pickle.dumps(nest))"
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            cwd=ROOT,
            capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        assert pickle.loads(run.stdout) in {Nest(("b",), ("m", "n"))}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chain", "causal"])
def test_a_search_leaves_nothing_to_the_garbage_collector(name: str) -> None:
    """It runs without: what it remembers has no cycles."""
    problem, again = (drawn_problem(Random(name), name) for _ in range(2))
    best_mappings(problem, Limits(), Tally())  # loads the kernels
    gc.collect()
    gc.disable()
    try:
        best_mappings(again, Limits(), Tally())
        assert gc.collect() == 0
        assert not gc.isenabled(), "as it was before"
    finally:
        gc.enable()
    best_mappings(problem, Limits(), Tally())
    assert gc.isenabled()
