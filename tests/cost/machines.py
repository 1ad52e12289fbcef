"""Small machines and cascades for tests: an architecture with two levels on chip, lines with what their points cost."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from accelsim.arch import Arch, load_arch
from accelsim.mapping import Mapping, Placement, load_mapping
from accelsim.result import Result
from accelsim.simulate import placed, simulate
from accelsim.workload import Workload, load_workload

CYCLES = {"mac": 3, "mul": 2, "add": 5, "sub": 7, "max": 11, "exp": 13, "div": 17}
TABLE = "\n".join(f"      {op}: {{cycles: {n}, uses: {{logic: {n}, table: 1}}}}" for op, n in CYCLES.items())
ARCH = f"""\
schema: accelsim/arch/1
name: tiny
clock: 1 GHz
levels:
  dram: {{capacity: unlimited, bandwidth: 3 GB/s, component: memory}}
  l2: {{capacity: unlimited, bandwidth: 5 GB/s, component: memory}}
  l1: {{capacity: unlimited, bandwidth: unlimited, component: sram}}
units:
  grid:
    rows: 4
    cols: 3
    ops:
{TABLE}
    registers: {{component: file}}
    latency: {{drain: ROWS + 2}}
  line:
    lanes: 5
    ops:
{TABLE}
      exp(a-b): {{cycles: 19, uses: {{logic: 1}}}}
    registers: {{component: file, counted: 2}}
components:
  memory: {{energy: {{read: 7 pJ/B, write: 11 pJ/B}}, width: 32 bit, node: n, class: guess, source: test}}
  sram: {{energy: {{read: 2 pJ/row, write: 3 pJ/row}}, width: 64 bit, node: n, class: guess, source: test}}
  file: {{energy: {{read: 0.5 pJ/op, write: 0.25 pJ/op}}, width: 16 bit, node: n, class: guess, source: test}}
  logic: {{energy: {{use: 1 pJ/op}}, node: n, class: guess, source: test}}
  table: {{energy: {{use: 0.125 pJ/op}}, node: n, class: guess, source: test}}
"""


@dataclass(frozen=True)
class Sample:
    """A small cascade: declarations, lines with the operators of a point, and the parameters that may be drawn."""

    name: str
    inputs: str
    outputs: str
    ranks: str
    lines: Table[str, str]
    params: Sequence[str]
    derived: str = ""
    maps: str = "{}"
    four_bit: bool = True  # the first input has numbers of 4 bit

    @property
    def operators(self) -> dict[str, list[str]]:
        """Einsum to the operators of one of its points."""
        return {line.partition("[")[0].strip(): ops.split() for line, ops in self.lines.items() if ops != "start"}

    def workload(self) -> str:
        lines = "\n".join(f"  {line}" for line in self.lines)
        params = ", ".join([*(f"{p}: null" for p in self.params), *filter(None, [self.derived])])
        return (
            f"schema: accelsim/workload/1\nname: {self.name}\nfunction: {{inputs: {{{self.inputs}}}, "
            f"outputs: {{{self.outputs}}}}}\nparams: {{{params}}}\nranks: {{{self.ranks}}}\nmaps: {self.maps}\n"
            f"types: {{default: fp16{f', {self.inputs[0]}: int4' * self.four_bit}}}\neinsums: |\n{lines}\n"
        )


SAMPLES = (
    Sample(
        "matmul", "A: [m, k], B: [k, n]", "C: [m, n]", "m: M, k: K, n: N", {"C[m,n] = A[m,k] * B[k,n]": "mac"}, "MKN"
    ),
    Sample(
        "chain",
        "A: [m, k], B: [k, n], D: [n, j]",
        "Z: [m, j]",
        "m: M, k: K, n: N, j: J",
        {"Y[m,n] = A[m,k] * B[k,n]": "mac", "Z[m,j] = Y[m,n] * D[n,j]": "mac"},
        "MKNJ",
    ),
    Sample(
        "two-sides",
        "A: [i, j]",
        "Y: [i]",
        "i: M, j: K",
        {
            "L[i] = sum(A[i,j]) over j where j <= i": "add",
            "U[i] = max(A[i,j]) over j where j > i - 1": "max",
            "Y[i] = L[i] + U[i]": "add",
        },
        "MK",
    ),
    Sample(
        "convolution",
        "A: [c, x], B: [k, c, s]",
        "O: [k, q]",
        "c: C, k: K, q: M, s: S, x: M+S-1",
        {"O[k,q] = A[c,q+s] * B[k,c,s]": "mac"},
        "CKMS",
    ),
    Sample(
        "strided",
        "A: [x], B: [s]",
        "O: [q]",
        "q: M, s: S, x: 2*M+S",
        {"O[q] = A[2*q+s] * B[s] where s <= q + 1": "mac"},
        "MS",
    ),
    Sample("padded", "A: [x], B: [s]", "O: [x]", "s: S, x: M", {"O[x] = A[x+s-1 zero] * B[s]": "mac"}, "MS"),
    Sample("clamped", "A: [x], B: [s]", "O: [x]", "s: S, x: M", {"O[x] = A[x+s-1 clamp] * B[s]": "mac"}, "MS"),
    Sample("circular", "A: [x], B: [s]", "O: [x]", "s: S, x: M", {"O[x] = A[x+s-1 wrap] * B[s]": "mac"}, "MS"),
    Sample(
        "stencil",
        "A: [i]",
        "Z: [i]",
        "i: M",
        {"Y[i] = A[i] + A[i+1 clamp]": "add", "Z[i] = Y[i] * A[i]": "mul"},
        "M",
    ),
    Sample("gram", "A: [i, k]", "C: [i, j]", "i: M, j: like i, k: K", {"C[i,j] = A[i,k] * A[j,k]": "mac"}, "MK"),
    Sample(
        "grouped",
        "A: [h, e], B: [g, e, m]",
        "Y: [h, m]",
        "h: 2*G, g: G, e: E, m: M",
        {
            "QK[h,m] = A[h,e] * B[h//2,e,m]": "mac",
            "GM[h] = max(QK[h,m]) over m": "max",
            "Y[h,m] = exp(QK[h,m] - GM[h])": "exp(a-b)",
        },
        "GEM",
    ),
    Sample(
        "shifted",
        "A: [h, m]",
        "Z: [h, m]",
        "h: 2*G, m: M",
        {
            "Y[h,m] = A[h,m] * 2": "mul",
            "S[h] = sum(Y[h,m]) over m": "add",
            "Z[h,m] = Y[h,m] * S[h//2]": "mul",
        },
        "GM",
    ),
    Sample(
        "mapped",
        "A: [h], B: [g, m]",
        "Y: [h, m]",
        "h: 4, g: 3, m: M",
        {"Y[h,m] = A[h] * B[gk(h),m]": "mul"},
        "M",
        maps="{gk: [0, 2, 2, 0]}",
    ),
    Sample(
        "filled-in",
        "A: [i, j], D: [i, j]",
        "Y: [i], X: [i, j]",
        "i: M, j: K",
        {"X[i,j] = A[i,j] * 2 where j <= i else D[i,j]": "mul", "Y[i] = max(X[i,j]) over j where i > 0": "max"},
        "MK",
    ),
    Sample(
        "causal",
        "Q: [e, p], K: [e, m], V: [f, m]",
        "AV: [f, p]",
        "e: E, f: F, m: M, p: P",
        {
            "QK[m,p] = Q[e,p] * K[e,m] where m <= p": "mac",
            "GM[p] = max(QK[m,p]) over m": "max",
            "SN[m,p] = exp(QK[m,p] - GM[p])": "exp(a-b)",
            "SD[p] = sum(SN[m,p]) over m": "add",
            "A[m,p] = SN[m,p] / SD[p]": "div",
            "AV[f,p] = A[m,p] * V[f,m]": "mac",
        },
        "EFMP",
    ),
    Sample(
        "window",
        "Q: [h, e, p], K: [g, e, m], V: [g, f, m]",
        "AV: [h, f, p]",
        "h: 2*G, g: G, e: E, f: F, m: M, p: P",
        {
            "QK[h,m,p] = Q[h,e,p] * K[h//2,e,m] where m <= p and (m > p - W or m < 1)": "mac",
            "SD[h,p] = sum(QK[h,m,p]) over m": "add",
            "A[h,m,p] = QK[h,m,p] / SD[h,p]": "div",
            "AV[h,f,p] = A[h,m,p] * V[h//2,f,m]": "mac",
        },
        "GEFMPW",
    ),
    Sample(
        "one-pass",
        "Q: [e, p], K: [e, m], V: [f, m]",
        "AV: [f, p]",
        'e: E, f: F, m: M, p: P, "m1,m0": m by T',
        {
            "RM[0,p] = lowest": "start",
            "RD[0,p] = 0": "start",
            "RNV[f,0,p] = 0": "start",
            "QK[m1,m0,p] = Q[e,p] * K[e,m1*T+m0] where m1*T+m0 <= p": "mac",
            "LM[m1,p] = max(QK[m1,m0,p]) over m0": "max",
            "RM[m1+1,p] = max(RM[m1,p], LM[m1,p])": "max",
            "SLN[m1,m0,p] = exp(QK[m1,m0,p] - RM[m1+1,p])": "exp(a-b)",
            "SLD[m1,p] = sum(SLN[m1,m0,p]) over m0": "add",
            "SLNV[f,m1,p] = SLN[m1,m0,p] * V[f,m1*T+m0]": "mac",
            "PRM[m1,p] = exp(RM[m1,p] - RM[m1+1,p])": "exp(a-b)",
            "RD[m1+1,p] = SLD[m1,p] + RD[m1,p]": "add",
            "RNV[f,m1+1,p] = SLNV[f,m1,p] + RNV[f,m1,p]": "add",
            "AV[f,p] = RNV[f,M1,p] / RD[M1,p]": "div",
        },
        "EFMPT",
    ),
)


@lru_cache(maxsize=1)
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="accelsim-test-"))


def written(name: str, text: str) -> str:
    path = folder() / f"{name}.yaml"
    path.write_text(text)
    return str(path)


@lru_cache(maxsize=64)
def tiny(*overrides: str) -> Arch:
    return load_arch(written("tiny", ARCH), overrides)


@dataclass(frozen=True)
class Case:
    """An architecture, a workload of one step and a mapping of it."""

    arch: Arch
    workload: Workload
    mapping: Mapping

    @property
    def placement(self) -> Placement:
        (found,) = placed(self.arch, self.workload, self.mapping)
        return found

    @property
    def result(self) -> Result:
        return simulate(self.arch, self.workload, self.mapping)


def case(sample: Sample, sizes: Table[str, int], mapping: str, arch: Arch | None = None) -> Case:
    """A sample with sizes, mapped as the text of a mapping says (without its head)."""
    workload = load_workload(written(sample.name, sample.workload()), [f"{k}={v}" for k, v in sizes.items()])
    head = f"schema: accelsim/mapping/1\nname: drawn\nfor: {{arch: tiny, function: {sample.name}}}\n"
    return Case(arch or tiny(), workload, load_mapping(written("drawn", head + mapping)))


def sample(name: str) -> Sample:
    return next(one for one in SAMPLES if one.name == name)
