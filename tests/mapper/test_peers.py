"""The optima of another exact mapper, AccelForge 1.0.467, on the reference architecture and under its assumptions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

from accelsim.arch import load_arch
from accelsim.cost.analytic import energy_by, step_cost
from accelsim.mapper.group import Tally
from accelsim.mapper.limits import Limits, load_limits
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import best_mappings
from accelsim.mapper.write import mapping_text
from accelsim.mapping.bind import place
from accelsim.mapping.load import parse_mapping
from accelsim.workload import Workload, load_workload, steps
from tests.source import ROOT

CASES = ROOT / "benchmarks" / "mapper_cases"
SAME_SPACE = load_limits(CASES / "limits.yaml", load_arch("reference"))


@dataclass(frozen=True)
class Golden:
    """Joules and seconds of the mapping with the least product of both."""

    workload: str
    sizes: tuple[str, ...]
    joules: float
    seconds: float
    most_fused: int | None = None


def chain(count: int) -> str:
    """So many products of 4096 x 4096 matrices, each with the result of the one before."""
    ranks = "abcdefghi"[: count + 1]
    weights = ", ".join(f"W{at}: [{a}, {b}]" for at, (a, b) in enumerate(pairwise(ranks), 1))
    lines = "".join(
        f"  T{at}[m,{b}] = T{at - 1}[m,{a}] * W{at}[{a},{b}]\n" for at, (a, b) in enumerate(pairwise(ranks), 1)
    )
    sizes = ", ".join(f"{rank}: N" for rank in f"m{ranks}")
    return (
        "schema: accelsim/workload/1\nname: chain\nsource: a test\n"
        f"function: {{inputs: {{T0: [m, a], {weights}}}, outputs: {{T{count}: [m, {ranks[-1]}]}}}}\n"
        f"params: {{N: 4096}}\nranks: {{{sizes}}}\ntypes: {{default: int8}}\neinsums: |\n{lines}"
    )


CHAINS = {
    2: Golden("", (), 0.030976914392671875, 0.002097151940688491),
    4: Golden("", (), 0.059771448447752895, 0.004194303881376982),
    8: Golden("", (), 0.11736051655791498, 0.008388607762753963),
}
ROWS = {
    "gemm 512": Golden("gemm", ("M=512",), 7.14416e-5, 2.048e-6),
    "gemm 4096": Golden("gemm", ("M=4096",), 0.016579647365131362, 0.0010485759703442454),
    "gemv 4096": Golden("gemm", ("M=1", "N=4096", "K=4096"), 0.000947137675240086, 4.196352165308781e-05),
    "attention 1024": Golden("attention", ("L=1024",), 0.0008457226819015428, 0.00014745600128662772),
    "attention 4096": Golden("attention", ("L=4096",), 0.011317977029563905, 0.0023592960205860436),
    "attention 4096, unfused": Golden("attention", ("L=4096",), 0.04952171112748391, 0.002579496940597892, 1),
    "attention 16384": Golden("attention", ("L=16384",), 0.1722332889495794, 0.0377487363293767),
    "attention 65536": Golden("attention", ("L=65536",), 2.727724067678776, 0.6039797812700272),
}


def optimum(row: Golden, limits: Limits) -> tuple[float, float]:
    """Joules and seconds of the mapping that is found, as depth `analytic` counts them."""
    workload = load_workload(str(CASES / f"{row.workload}.yaml"), list(row.sizes))
    return found(workload, replace(limits, most_fused=row.most_fused))


def found(workload: Workload, limits: Limits) -> tuple[float, float]:
    arch = load_arch("reference")
    (step,) = steps(workload, lambda function: None)
    problem = Problem(arch, step)
    best = min(best_mappings(problem, limits, Tally()), key=lambda found: found.seconds * found.energy_pj)
    placed = place(parse_mapping(mapping_text(problem, "found", best.groups, limits), "found.yaml"), arch, step)
    cost = step_cost(placed)
    energies = energy_by(arch, cost.actions)
    assert energies is not None
    return float(sum(energies.values())) * 1e-12, float(cost.seconds)


@pytest.mark.golden
@pytest.mark.parametrize("name", ROWS)
def test_the_same_space_has_the_same_optimum(name: str) -> None:
    row = ROWS[name]
    assert optimum(row, SAME_SPACE) == pytest.approx((row.joules, row.seconds), rel=1e-6)


@pytest.mark.golden
@pytest.mark.parametrize("count", CHAINS)
def test_chains_of_products_have_the_same_optimum(count: int, tmp_path: Path) -> None:
    """All in one group: what one product makes is kept until the next has used it, and no longer."""
    path = tmp_path / "chain.yaml"
    path.write_text(chain(count), encoding="utf-8")
    row = CHAINS[count]
    assert found(load_workload(str(path)), SAME_SPACE) == pytest.approx((row.joules, row.seconds), rel=1e-6)


@pytest.mark.golden
def test_tiles_that_do_not_divide_are_better_at_long_lengths() -> None:
    row = ROWS["attention 65536"]
    joules, seconds = optimum(row, replace(SAME_SPACE, perfect=False))
    assert joules < row.joules * (1 - 8e-4)
    assert seconds == pytest.approx(row.seconds, rel=1e-6)


@pytest.mark.golden
def test_prime_sizes_use_the_whole_array() -> None:
    """509 x 509 x 509: two tiles of 256 and 253 along both sides of the array, and not one PE."""
    joules, seconds = optimum(Golden("gemm", ("M=509",), 0, 0), replace(SAME_SPACE, perfect=False))
    assert seconds == 4 * 509 / 1e9
    assert joules == pytest.approx(7.054153846534064e-05, rel=1e-6)
