"""Indices that are drawn so that what they gather has a place in a DRAM."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.arch import load_arch
from accelsim.cost.images import Counter
from accelsim.cost.selections import selections
from accelsim.program.lower.drawn import drawn_indices
from accelsim.result import Result
from accelsim.simulate import simulate
from accelsim.workload import load_workload, steps

DECODE = ["LAYERS=3", "TOKENS=2", "PROMPT=40", "H=3", "E=64", "WHOLE=1", "HWHOLE=1"]
PRUNED = ["DROP0=300", "DROP1=600", "HDROP0=300", "VKEEP=400"]
BURST = 32  # bytes of HBM2


def counter_of(*changes: str) -> Counter:
    (step,) = steps(load_workload("pruned-decode", [*DECODE, *changes]))
    names = dict.fromkeys(c for einsum in step.shapes.cascade.einsums for c in einsum.coordinates)
    return Counter.over(step.shapes, {c: ((c, 1),) for c in names})


def test_a_selection_has_as_many_rising_indices_as_are_kept_all_of_candidates() -> None:
    counter = counter_of(*PRUNED)
    drawn = drawn_indices(counter)
    assert set(drawn) == {"TI", "HI", "VI"}
    for name, table in drawn.items():
        line = next(e for e in counter.shapes.cascade.einsums if e.name == name)
        found = selections(counter, line)
        assert table.shape == counter.shapes.shapes[name]
        for row, n, k in zip(
            table.reshape(found.candidates.size, -1), found.candidates.ravel(), found.kept.ravel(), strict=True
        ):
            assert (np.diff(row[:k]) > 0).all()
            assert k == 0 or (row[0] >= 0 and row[k - 1] < n)


def test_every_candidate_is_as_likely() -> None:
    """Some 3,000 indices, as parts of their candidates, in eighths: none has a tenth more or less than the others."""
    counter = counter_of("TOKENS=80", "LAYERS=1", "WHOLE=0", "DROP0=500")
    (line,) = (e for e in counter.shapes.cascade.einsums if e.name == "TI")
    found, table = selections(counter, line), drawn_indices(counter)["TI"]
    sizes = zip(table, found.candidates.tolist(), found.kept.tolist(), strict=True)
    parts = np.concatenate([(row[:k] + 0.5) / n for row, n, k in sizes if k < n])
    counts = np.histogram(parts, 8, (0, 1))[0]
    assert len(parts) > 2500
    assert (abs(counts - counts.mean()) < 0.1 * counts.mean()).all()


@pytest.fixture(scope="module")
def found() -> dict[str, Result]:
    workload = load_workload("pruned-decode", [*DECODE, *PRUNED])
    return {name: simulate(load_arch(name), workload, None, "cycle") for name in ("spatten", "spatten-hbm2")}


@pytest.mark.slow
def test_commands_move_what_the_indices_gather(found: dict[str, Result]) -> None:
    """A key of 64 bytes is two bursts, low bits of 32 bytes one: no burst is shared with a key that is not wanted."""
    moved = found["spatten-hbm2"].traffic["dram"]
    whole = sum(float(moved[name].read) for name in ("KM", "KL", "V") if name in moved)
    reads = float(found["spatten-hbm2"].actions["dram.commands"]["RD"])
    others = sum(float(t.read) for name, t in moved.items() if name not in ("KM", "KL", "V"))
    assert whole / BURST <= reads <= whole / BURST + others / BURST + 2 * 3 * 2 * len(moved)


@pytest.mark.slow
def test_the_plain_bandwidth_is_no_slower(found: dict[str, Result]) -> None:
    assert found["spatten"].traffic["dram"] == found["spatten-hbm2"].traffic["dram"]
    assert found["spatten"].seconds <= found["spatten-hbm2"].seconds


def test_a_unit_selects_in_a_single_iteration() -> None:
    """One layer and one head: no loop is left outside the selections of tokens."""
    changes = ["LAYERS=1", "H=1", "M=24", "DROP0=0", "DROP1=0", "VKEEP=500"]
    workload = load_workload("bert-base-pruned", changes)
    bound, executed = (simulate(load_arch("spatten"), workload, None, depth).seconds for depth in ("bound", "cycle"))
    assert bound < executed
