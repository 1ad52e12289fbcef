"""What the mappers of `mapper_peers.py` read and run: a workload of accelsim in AccelForge's form and in ZigZag's.

Every peer is given the Einsums of the same file, so that no two tools map different things. What they are written as is
JSON, which YAML readers read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from accelsim.einsum.ast import Access, Coordinate
from accelsim.einsum.cascade import Einsum
from accelsim.workload import Step

CASES = Path(__file__).resolve().parent / "mapper_cases"
LETTERS = "abcdefghijklnopqrstuvwxyz"  # of the ranks of a chain; m is its rows
ARRAY = 256

# A turn prints a line: what was found, and the processor seconds of the call alone (threads and children included).
ACCELFORGE_RUN = """\
import json, resource, sys, time
import accelforge as af
from accelforge.mapper.FFM.main import join_pmappings, make_pmappings
from accelforge.model.main import evaluate_mapping

def spent():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)

def specified(asked):
    spec = af.Spec.from_yaml("arch.yaml", "workload.yaml", jinja_parse_data={"FILLED": asked["filled"]})
    spec.mapper.metrics = af.Metrics.ENERGY_DELAY_PRODUCT
    for name, value in asked["mapper"].items():
        setattr(spec.mapper, name, value)
    return spec

def detailed(spec, found):
    spec.model.metrics = spec.mapper.info_metrics
    spec.mapping = found.data.iloc[0]["Total<SEP>mapping"](_for_model=True)
    return evaluate_mapping(spec, flattened_arches=found.flattened_arches, evaluated_specs=found.evaluated_specs).data

asked = json.load(open("asked.json"))
af.set_n_parallel_jobs(1)
again, end = 2, 0.0
while again or time.perf_counter() < end:
    spec = specified(asked)
    start = spent()
    parts = make_pmappings(spec, print_progress=False)
    found = join_pmappings(parts, spec.mapper.metrics, print_progress=False)
    cpu = spent() - start
    total = detailed(specified(asked), found).iloc[0]
    line = {"cpu_s": cpu, "joules": float(total["Total<SEP>energy"]), "seconds": float(total["Total<SEP>latency"])}
    print(json.dumps({**line, "looked_at": parts.n_evaluated_pmappings()}), flush=True)
    again, end = max(0, again - 1), end or time.perf_counter() + asked["again_s"]
"""

ZIGZAG_RUN = """\
import contextlib, json, logging, resource, sys, time
from zigzag.api import get_hardware_performance_zigzag
from zigzag.stages.evaluation.cost_model_evaluation import CostModelStage

def spent():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)

evaluations = 0
once = CostModelStage.run
def counted(self):
    global evaluations
    for each in once(self):
        evaluations += 1
        yield each
CostModelStage.run = counted

logging.disable(logging.WARNING)
asked = json.load(open("asked.json"))
again, end = 2, 0.0
while again or time.perf_counter() < end:
    joules = cycles = evaluations = 0
    start = spent()
    for at in range(asked["layers"]):
        with contextlib.redirect_stdout(sys.stderr):
            energy, latency, _ = get_hardware_performance_zigzag(
                f"layer{at}.yaml", "arch.yaml", f"mapping{at}.yaml", opt="EDP", dump_folder="out",
                temporal_mapping_search_engine="loma", nb_spatial_mappings_generated=1, loma_show_progress_bar=False)
        joules, cycles = joules + energy * 1e-12, cycles + latency
    line = {"cpu_s": spent() - start, "joules": joules, "seconds": cycles / 1e9, "looked_at": evaluations}
    print(json.dumps(line), flush=True)
    again, end = max(0, again - 1), end or time.perf_counter() + asked["again_s"]
"""


def chain_text(count: int, rows: int = 4096, side: int = 4096) -> str:
    """A workload: a matrix of `rows` x `side` numbers times `count` square ones, one after the other."""
    letters = LETTERS[: count + 1]
    weights = ", ".join(f"W{at + 1}: [{letters[at]}, {letters[at + 1]}]" for at in range(count))
    sides = ", ".join(f"{letter}: N" for letter in letters)
    lines = [
        f"  T{at + 1}[m,{letters[at + 1]}] = T{at}[m,{letters[at]}] * W{at + 1}[{letters[at]},{letters[at + 1]}]"
        for at in range(count)
    ]
    return "\n".join(
        [
            "schema: accelsim/workload/1",
            f"name: chain-of-{count}",
            f"source: {Path(__file__).name}",
            f"function: {{inputs: {{T0: [m, a], {weights}}}, outputs: {{T{count}: [m, {letters[-1]}]}}}}",
            f"params: {{M: {rows}, N: {side}}}",
            f"ranks: {{m: M, {sides}}}",
            "types: {default: int8}",
            "einsums: |",
            *lines,
            "",
        ]
    )


def accelforge_files(step: Step, filled: float, mapper: dict[str, object], again_s: float) -> dict[str, str]:
    """What `ACCELFORGE_RUN` reads, by the name of the file."""
    ranks = _first_indices(step)
    einsums = []
    for einsum in step.shapes.cascade.einsums:
        first, *others = (_accelforge_access(access, ranks) for access in einsum.reads)
        text = f"{_accelforge_access(einsum.target, ranks)} = {' * '.join((first, *others))}"
        entry: dict[str, object] = {"einsum": text, "renames": {"input": einsum.reads[0].tensor}}
        if isinstance(einsum.expr, Access):
            entry["is_copy_operation"] = True
        einsums.append(entry)
    (bits,) = {step.types[tensor].bytes * 8 for tensor in step.shapes.shapes}
    workload = {
        "rank_sizes": {name.upper(): size for name, size in step.shapes.sizes.items()},
        "bits_per_value": {"All": int(bits)},
        "einsums": einsums,
    }
    every = [
        {"name": "input", "source": "Inputs"},
        {"name": "output", "source": "Outputs"},
        {"name": "weight", "source": "~(input | output)"},
    ]
    renames = {"einsums": [{"name": "default", "tensor_accesses": every}]}
    return {
        "arch.yaml": (CASES / "accelforge_reference.yaml").read_text(),
        "workload.yaml": json.dumps({"renames": renames, "workload": workload}),
        "asked.json": json.dumps({"filled": filled, "mapper": mapper, "again_s": again_s}),
    }


def zigzag_files(step: Step, again_s: float) -> dict[str, str]:
    """What `ZIGZAG_RUN` reads, by the name of the file: a layer for each product, none for anything else."""
    products = [einsum for einsum in _einsums(step) if len(einsum.reads) == 2]
    (bits,) = {step.types[tensor].bytes * 8 for tensor in step.shapes.shapes}
    files = {
        "arch.yaml": (CASES / "zigzag_reference.yaml").read_text().replace("BITS", str(int(bits))),
        "asked.json": json.dumps({"layers": len(products), "again_s": again_s}),
    }
    for at, einsum in enumerate(products):
        files[f"layer{at}.yaml"] = json.dumps([_zigzag_layer(step, einsum, int(bits))])
        files[f"mapping{at}.yaml"] = json.dumps([_zigzag_mapping(step, einsum)])
    return files


def _einsums(step: Step) -> Sequence[Einsum]:
    return step.shapes.cascade.einsums


def _names(access: Access) -> list[str]:
    """The coordinates of an access; every index of these workloads is one."""
    found = [index.expr.name for index in access.indices if isinstance(index.expr, Coordinate)]
    assert len(found) == len(access.indices)
    return found


def _first_indices(step: Step) -> dict[str, list[str]]:
    """Tensor to the coordinates that it is first written or read with: the names of its ranks."""
    found: dict[str, list[str]] = {}
    for einsum in _einsums(step):
        for access in (*einsum.reads, einsum.target):
            found.setdefault(access.tensor, _names(access))
    return found


def _accelforge_access(access: Access, ranks: dict[str, list[str]]) -> str:
    """`K[b, M: p]`: rank M of K, indexed by p."""
    pairs = zip(ranks[access.tensor], _names(access), strict=True)
    return f"{access.tensor}[{', '.join(i if i == rank else f'{rank.upper()}: {i}' for rank, i in pairs)}]"


def _zigzag_layer(step: Step, einsum: Einsum, bits: int) -> dict[str, object]:
    def indexed(letter: str, access: Access) -> str:
        return letter + "".join(f"[{name}]" for name in _names(access))

    first, second = einsum.reads
    return {
        "id": 0,
        "operator_type": "Gemm",
        "equation": f"{indexed('O', einsum.target)}+={indexed('I', first)}*{indexed('W', second)}",
        "dimension_relations": [],
        "loop_dims": [name.upper() for name in einsum.coordinates],
        "loop_sizes": [step.shapes.sizes[name] for name in einsum.coordinates],
        "operand_precision": {"W": bits, "I": bits, "O": bits, "O_final": bits},
        "operand_source": {"I": 0, "W": 0},
    }


def _zigzag_mapping(step: Step, einsum: Einsum) -> dict[str, object]:
    """A summed coordinate along one side, along the other one that only the second operand and the result have."""
    first, second = (set(_names(access)) for access in einsum.reads)
    own = [name for name in einsum.coordinates if name in second - first]
    sides = [max(names, key=lambda name: step.shapes.sizes[name]) for names in (einsum.reduced, own)]
    return {
        "name": "default",
        "spatial_mapping": {
            f"D{at}": [f"{name.upper()}, {min(ARRAY, step.shapes.sizes[name])}"] for at, name in enumerate(sides, 1)
        },
        "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
    }
