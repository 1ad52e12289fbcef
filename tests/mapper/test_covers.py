"""Kinds of layers that people map: each has a mapping, and it costs what depth `analytic` says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
from accelsim.workload import Step, load_workload, steps


@dataclass(frozen=True)
class Layer:
    """A function in YAML: inputs, outputs, ranks as `r: R`, and lines."""

    inputs: str
    outputs: str
    sizes: dict[str, int]
    ranks: str
    lines: str

    def text(self) -> str:
        params = ", ".join(f"{name}: {size}" for name, size in self.sizes.items())
        lines = "".join(f"  {line.strip()}\n" for line in self.lines.strip().splitlines())
        return (
            "schema: accelsim/workload/1\nname: layer\nsource: a test\n"
            f"function: {{inputs: {{{self.inputs}}}, outputs: {{{self.outputs}}}}}\n"
            f"params: {{{params}}}\nranks: {{{self.ranks}}}\ntypes: {{default: fp16}}\neinsums: |\n{lines}"
        )


SOFTMAX = """
    GM[b,h]   = max(QK[b,h,m]) over m
    SN[b,h,m] = exp(QK[b,h,m] - GM[b,h])
    SD[b,h]   = sum(SN[b,h,m]) over m
"""
LAYERS = {
    "batched GEMM": Layer(
        "A: [b, m, k], B: [b, k, n]",
        "C: [b, m, n]",
        {"B": 12, "M": 96, "N": 80, "K": 64},
        "b: B, m: M, n: N, k: K",
        "C[b,m,n] = A[b,m,k] * B[b,k,n]",
    ),
    "convolution": Layer(
        "I: [c, y], W: [k, c, s]",
        "O: [k, x]",
        {"C": 16, "K": 32, "X": 60, "S": 3, "Y": 62},
        "c: C, k: K, x: X, s: S, y: Y",
        "O[k,x] = I[c,x+s] * W[k,c,s]",
    ),
    "grouped-query decode": Layer(
        "Q: [b, h, e], K: [b, g, e, m], V: [b, g, f, m]",
        "O: [b, h, f]",
        {"B": 4, "H": 8, "G": 2, "E": 32, "F": 32, "M": 256},
        "b: B, h: H, g: G, e: E, f: F, m: M",
        f"QK[b,h,m] = Q[b,h,e] * K[b,h//(H//G),e,m]{SOFTMAX}NV[b,h,f] = SN[b,h,m] * V[b,h//(H//G),f,m]"
        "\nO[b,h,f] = NV[b,h,f] / SD[b,h]",
    ),
    "multi-query decode": Layer(
        "Q: [b, h, e], K: [b, e, m], V: [b, f, m]",
        "O: [b, h, f]",
        {"B": 4, "H": 8, "E": 32, "F": 32, "M": 256},
        "b: B, h: H, e: E, f: F, m: M",
        f"QK[b,h,m] = Q[b,h,e] * K[b,e,m]{SOFTMAX}NV[b,h,f] = SN[b,h,m] * V[b,f,m]\nO[b,h,f] = NV[b,h,f] / SD[b,h]",
    ),
    "latent decode": Layer(  # keys and values are one latent vector, read twice
        "Q: [b, h, e], C: [b, m, e]",
        "O: [b, h, e]",
        {"B": 2, "H": 16, "E": 64, "M": 256},
        "b: B, h: H, e: E, m: M",
        f"QK[b,h,m] = Q[b,h,e] * C[b,m,e]{SOFTMAX}NV[b,h,e] = SN[b,h,m] * C[b,m,e]\nO[b,h,e] = NV[b,h,e] / SD[b,h]",
    ),
    "factorised decode": Layer(  # queries through a low rank, one key and value for all heads
        "X: [b, r], U: [r, h, e], K: [b, e, m], V: [b, f, m]",
        "O: [b, h, f]",
        {"B": 4, "H": 8, "R": 32, "E": 32, "F": 32, "M": 128},
        "b: B, h: H, r: R, e: E, f: F, m: M",
        f"Q[b,h,e] = X[b,r] * U[r,h,e]\nQK[b,h,m] = Q[b,h,e] * K[b,e,m]{SOFTMAX}NV[b,h,f] = SN[b,h,m] * V[b,f,m]"
        "\nO[b,h,f] = NV[b,h,f] / SD[b,h]",
    ),
    "experts": Layer(  # tokens sorted by expert: a gated feed-forward network for each
        "X: [x, t, d], WG: [x, d, s], WU: [x, d, s], WD: [x, s, d2]",
        "Y: [x, t, d2]",
        {"E": 4, "T": 64, "D": 64, "S": 128, "D2": 64},
        "x: E, t: T, d: D, s: S, d2: D2",
        """G[x,t,s] = X[x,t,d] * WG[x,d,s]
        U[x,t,s] = X[x,t,d] * WU[x,d,s]
        H[x,t,s] = max(G[x,t,s], 0) * U[x,t,s]
        Y[x,t,d2] = H[x,t,s] * WD[x,s,d2]""",
    ),
    "gated linear attention": Layer(  # chunks: a state that decays, and what is inside a chunk
        "Q: [c, i, e], K: [c, j, e], V: [c, j, f], A: [c]",
        "O: [c, i, f]",
        {"C": 4, "I": 32, "J": 32, "E": 32, "F": 32},
        "c: C, i: I, j: J, e: E, f: F",
        """S[0,e,f] = 0
        KV[c,e,f] = K[c,j,e] * V[c,j,f]
        D[c,e,f] = S[c,e,f] * A[c]
        S[c+1,e,f] = D[c,e,f] + KV[c,e,f]
        P[c,i,j] = Q[c,i,e] * K[c,j,e] where j <= i
        N[c,i,f] = P[c,i,j] * V[c,j,f]
        X[c,i,f] = Q[c,i,e] * S[c,e,f]
        O[c,i,f] = N[c,i,f] + X[c,i,f]""",
    ),
}


def step_of(layer: Layer, folder: Path) -> Step:
    path = folder / "layer.yaml"
    path.write_text(layer.text(), encoding="utf-8")
    (step,) = steps(load_workload(str(path)), lambda function: None)
    return step


def costs(problem: Problem, found: Found) -> tuple[float, float]:
    """Seconds and pJ of the mapping as it would be written."""
    text = mapping_text(problem, "found", found.groups, Limits())
    cost = step_cost(place(parse_mapping(text, "found.yaml"), problem.arch, problem.step))
    energies = energy_by(problem.arch, cost.actions)
    assert energies is not None
    return float(cost.seconds), float(sum(energies.values()))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_a_best_mapping(name: str, tmp_path: Path) -> None:
    """The fastest is no slower than one Einsum at a time, the thriftiest needs no more energy."""
    step, arch = step_of(LAYERS[name], tmp_path), load_arch("edge")
    problem = Problem(arch, step)
    (fastest,) = best_mappings(problem, Limits(), Tally(), FASTEST)
    (thriftiest,) = best_mappings(problem, Limits(), Tally(), THRIFTIEST)
    (alone,) = best_mappings(problem, Limits(most_fused=max(map(len, problem.components), default=1)), Tally(), FASTEST)
    for found in (fastest, thriftiest, alone):
        assert costs(problem, found) == pytest.approx((found.seconds, found.energy_pj), rel=1e-12)
    assert fastest.seconds <= alone.seconds * (1 + 1e-12)
    assert thriftiest.energy_pj <= fastest.energy_pj * (1 + 1e-12)
