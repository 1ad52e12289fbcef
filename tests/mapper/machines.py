"""Problems for the tests of the mapper: small cascades on architectures of two and three levels, with every price."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from functools import lru_cache
from random import Random

from accelsim.arch import Arch, load_arch
from accelsim.mapper.group import GroupPoint
from accelsim.mapper.limits import Limits
from accelsim.mapper.problem import Problem
from accelsim.mapper.write import mapping_text
from accelsim.mapping import Placement, place
from accelsim.mapping.load import parse_mapping
from accelsim.workload import Workload, load_workload, steps
from tests.cost.machines import SAMPLES, Sample, sample, written

OPS = ("mac", "mul", "add", "sub", "max", "min", "exp", "div", "relu")
TABLE = "{" + ", ".join(f"{op}: {{cycles: {n}, uses: {{logic: {n}}}}}" for n, op in enumerate(OPS, 1)) + "}"
COMPONENTS = """\
components:
  memory: {energy: {read: 7 pJ/B, write: 11 pJ/B}, width: 32 bit, node: n, class: guess, source: test}
  sram: {energy: {read: 2 pJ/row, write: 3 pJ/row}, width: 64 bit, node: n, class: guess, source: test}
  file: {energy: {read: 0.5 pJ/op, write: 0.25 pJ/op}, width: 16 bit, node: n, class: guess, source: test}
  logic: {energy: {use: 1 pJ/op}, node: n, class: guess, source: test}
"""
DRAM = "  dram: {capacity: unlimited, bandwidth: 3 GB/s, component: memory}\n"
L2 = "  l2: {capacity: unlimited, bandwidth: {read: 5 GB/s, write: 4 GB/s}, component: memory, read_out: true}\n"
L1 = "  l1: {capacity: unlimited, bandwidth: 9 GB/s, component: sram}\n"
GRID = f"  grid: {{rows: 4, cols: 3, ops: {TABLE}, registers: {{component: file}}}}\n"
LINE = f"  line: {{lanes: 5, ops: {TABLE}, registers: {{component: file, counted: 2}}}}\n"
BARE = f"  line: {{lanes: 3, ops: {TABLE}}}\n"  # its registers cost nothing
LOGIC = "{mac: {cycles: 1, uses: {logic: %s}}, add: {cycles: 1, uses: {logic: %s}}}"
TWINS = (  # one has the cheaper operators, the other registers that cost nothing
    f"  cheap: {{lanes: 2, ops: {LOGIC % (1, 1)}, registers: {{component: file}}}}\n"
    f"  free: {{lanes: 2, ops: {LOGIC % ('1.9', '1.9')}}}\n"
)


def arch_text(name: str, levels: str, units: str) -> str:
    head = f"schema: accelsim/arch/1\nname: {name}\nclock: 1 GHz\n"
    return f"{head}levels:\n{levels}units:\n{units}{COMPONENTS}"


ARCHS = {
    "three-levels": arch_text("three-levels", DRAM + L2 + L1, GRID + LINE),
    "two-levels": arch_text("two-levels", DRAM + L2, GRID + LINE),
    "two-ports": arch_text("two-ports", DRAM + L2, GRID + BARE),
    "one-port": arch_text("one-port", DRAM + L1, GRID),
    "two-kinds": arch_text("two-kinds", DRAM + L1, TWINS),
    "lanes-only": arch_text("lanes-only", DRAM + L1, LINE),
}
COMPLETE = ("three-levels", "two-ports", "one-port", "lanes-only")  # some unit has every operator

BATCHED = Sample(
    "batched",
    "A: [b, m, k], B: [b, k, n]",
    "C: [b, m, n]",
    "b: B, m: M, k: K, n: N",
    {"C[b,m,n] = A[b,m,k] * B[b,k,n]": "mac"},
    "BMKN",
    four_bit=False,
)
ELEMENTWISE = Sample(
    "elementwise",
    "A: [i, j], D: [i]",
    "Z: [i, j]",
    "i: M, j: N",
    {"X[i,j] = relu(A[i,j])": "relu", "Y[i,j] = X[i,j] + D[i]": "add", "Z[i,j] = Y[i,j] * X[i,j]": "mul"},
    "MN",
    four_bit=False,
)
SHARED = Sample(
    "shared",
    "A: [m, k], B: [k, n], D: [k, j]",
    "Y: [m, n], Z: [m, j]",
    "m: M, k: K, n: N, j: J",
    {"Y[m,n] = A[m,k] * B[k,n]": "mac", "Z[m,j] = A[m,k] * D[k,j]": "mac"},
    "MKNJ",
    four_bit=False,
)
PLAIN = Sample(
    "plain",
    "Q: [h, e, p], K: [g, e, m], V: [g, f, m]",
    "AV: [h, f, p]",
    "h: H, g: (H+R-1)//R, e: E, f: F, m: M, p: P",
    {
        "QK[h,m,p] = Q[h,e,p] * K[h//R,e,m]": "mac",
        "GM[h,p] = max(QK[h,m,p]) over m": "max",
        "SN[h,m,p] = exp(QK[h,m,p] - GM[h,p])": "exp(a-b)",
        "SD[h,p] = sum(SN[h,m,p]) over m": "add",
        "A[h,m,p] = SN[h,m,p] / SD[h,p]": "div",
        "AV[h,f,p] = A[h,m,p] * V[h//R,f,m]": "mac",
    },
    "HREFMP",
    four_bit=False,
)
HEADS = Sample(
    "heads",
    "A: [h, e], B: [g, e, m]",
    "Y: [h, m]",
    "h: H, g: (H+R-1)//R, e: E, m: M",
    {"Y[h,m] = A[h,e] * B[h//R,e,m]": "mac"},
    "HREM",
    four_bit=False,
)
MASKED = Sample(
    "masked",
    "Q: [p, e], K: [m, e]",
    "S: [p, m]",
    "p: P, m: M, e: E",
    {"S[p,m] = Q[p,e] * K[m,e] where m <= p": "mac"},
    "PME",
    four_bit=False,
)
OWN = {one.name: one for one in (BATCHED, ELEMENTWISE, SHARED, PLAIN, HEADS, MASKED)}


def sample_of(name: str) -> Sample:
    """A cascade of ours, or of the tests of traffic."""
    return OWN.get(name) or sample(name)


NAMES = (*OWN, *(one.name for one in SAMPLES))


@lru_cache(maxsize=64)
def arch_of(name: str, *overrides: str) -> Arch:
    return load_arch(written(name, ARCHS[name]) if name in ARCHS else name, overrides)


def workload_of(name: str, sizes: Table[str, int] | Sequence[str]) -> Workload:
    """One of `NAMES` or a shipped workload, with its parameters set."""
    said = [f"{k}={v}" for k, v in sizes.items()] if isinstance(sizes, Table) else list(sizes)
    if name in NAMES:
        return load_workload(written(name, sample_of(name).workload()), said)
    return load_workload(name, said)


def problem_of(arch: Arch, workload: Workload) -> Problem:
    (step,) = steps(workload)
    return Problem(arch, step)


def drawn_problem(rng: Random, name: str) -> Problem:
    """A cascade with sizes drawn at random, on one of the machines that can run it all."""
    params = sample_of(name).params
    sizes = {p: rng.choice([1, 2, 3, 4, 5, 6, 7, 9, 13] if p in "MPN" else [1, 2, 3, 4, 5]) for p in params}
    return problem_of(arch_of(rng.choice(COMPLETE)), workload_of(name, sizes))


def placement_of(problem: Problem, points: Sequence[GroupPoint], limits: Limits) -> Placement:
    """What the mapping that is written for some groups says, read again from its text."""
    text = mapping_text(problem, "found", points, limits)
    return place(parse_mapping(text, "found.yaml"), problem.arch, problem.step)
