"""Kinds of layers that people map: each has a mapping, and it costs what depth `analytic` says."""

from __future__ import annotations

from itertools import count

import pytest

from accelsim.arch import load_arch
from accelsim.cost.analytic import energy_by, step_cost
from accelsim.mapper.fold import FASTEST, THRIFTIEST
from accelsim.mapper.group import Tally
from accelsim.mapper.limits import Limits
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import Found, best_mappings
from accelsim.mapper.write import mapping_text
from accelsim.mapping.bind import place
from accelsim.mapping.load import parse_mapping
from accelsim.workload import load_workload, steps

LAYERS: dict[str, tuple[str, str, int | None]] = {  # workload, sizes, Einsums in a group at most
    "batched GEMM": ("batched-gemm", "B=12 M=96 N=80 K=64", None),
    "convolution": ("conv2d", "B=1 C=16 K=32 P=1 Q=60 R=1 S=3", None),
    "convolution with stride and dilation": ("conv2d", "B=1 C=32 K=32 P=6 R=3 STRIDE=2 DILATION=2", None),
    "multi-head decode": ("decode-attention-3pass-deferred", "B=4 H=8 E=32 M=256", None),
    "grouped-query decode": ("decode-attention-3pass-deferred", "B=4 H=8 G=2 E=32 M=256", None),
    "multi-query decode": ("decode-attention-3pass-deferred", "B=4 H=8 G=1 E=32 M=256", None),
    "decode in parts": ("decode-attention-2pass-deferred", "B=4 H=8 G=2 E=32 M=128 M0=64", None),
    "decode in one pass": ("decode-attention-1pass", "B=4 H=8 G=2 E=32 M=128 M0=64", None),
    "latent decode": ("latent-decode-3pass-deferred", "B=2 H=16 E=64 M=256", None),
    "latent decode with a rotary part": ("latent-decode-3pass-deferred", "B=2 H=16 E=72 F=64 M=256", None),
    "factorised decode": ("factorised-decode-3pass-deferred", "B=4 H=8 D=64 C=32 E=32 M=128", None),
    "gated feed-forward": ("gated-ffn", "T=48 D=64 S=96", None),
    "experts": ("experts", "N=4 T=48 D=32 S=64", None),
    "gated linear attention": ("gated-linear-attention", "B=1 H=1 C=3 I=32 E=16", None),
    "layer of a prompt": ("decoder-layer", "B=1 M=12 H=2 E=4", 2),
    "layer of a new token": ("decode-layer", "B=2 M=64 H=2 E=8", 3),
    "gated layer of a prompt": ("gated-decoder-layer", "B=1 M=12 H=2 G=1 E=4 S=24", 2),
    "gated layer of a new token": ("gated-decode-layer", "B=2 M=64 H=4 G=2 E=8 S=96", 3),
}


def costs(problem: Problem, found: Found) -> tuple[float, float]:
    """Seconds and pJ of the mapping as it would be written."""
    text = mapping_text(problem, "found", found.groups, Limits())
    cost = step_cost(place(parse_mapping(text, "found.yaml"), problem.arch, problem.step))
    energies = energy_by(problem.arch, cost.actions)
    assert energies is not None
    return float(cost.seconds), float(sum(energies.values()))


def least_fused(problem: Problem) -> Found:
    """The fastest with one Einsum at a time, or with as few together as its recurrences allow."""
    found = (best_mappings(problem, Limits(most_fused=most), Tally(), FASTEST) for most in count(1))
    return next(one for (one,) in filter(None, found))


LONG = ("decode in one pass", "decode in parts", *(name for name in LAYERS if "layer of" in name))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in LAYERS]
)
def test_a_layer_has_a_best_mapping(name: str) -> None:
    """The fastest is no slower than one Einsum at a time, the thriftiest needs no more energy."""
    workload, sizes, most = LAYERS[name]
    (step,) = steps(load_workload(workload, sizes.split()), lambda function: None)
    problem, limits = Problem(load_arch("edge"), step), Limits(most_fused=most)
    (fastest,) = best_mappings(problem, limits, Tally(), FASTEST)
    (thriftiest,) = best_mappings(problem, limits, Tally(), THRIFTIEST)
    alone = least_fused(problem)
    for found in (fastest, thriftiest, alone):
        assert costs(problem, found) == pytest.approx((found.seconds, found.energy_pj), rel=1e-12)
    assert fastest.seconds <= alone.seconds * (1 + 1e-12)
    assert thriftiest.energy_pj <= fastest.energy_pj * (1 + 1e-12)
