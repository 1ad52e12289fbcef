"""A head of attention on the generated machine: every bit is the golden model's, every start that of depth cycle."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.golden.softmax import causal
from accelsim.hardware.layer.run import Layer, job_of, result_of, tensors_of
from accelsim.hardware.layer.verify import (
    WORDS,
    LayerVerification,
    Setting,
    device_of,
    layer_at,
    program_at,
    settings,
    verify_layer,
)
from accelsim.program.instruction import decode, encode
from accelsim.simulate import simulate_named
from rtl.bench import Case, Device, simulate
from tests.rtl.blocks import SEED

pytestmark = pytest.mark.slow

LATENCIES = (1, 20, 100)
SMALL = ["arch.units.array.rows=4", "arch.units.array.cols=4", "arch.units.vector.lanes=4"]
SMALL += ["arch.levels.buffer.rtl.folds=8", "arch.levels.buffer.rtl.k_words=12"]


@pytest.fixture(scope="module")
def machine() -> Device:
    return device_of(of("head-1pass"))


def of(workload: str, *overrides: str, latency: int = 20) -> Layer:
    found = layer_at("layer", Setting(workload, (*overrides, f"arch.levels.dram.latency={5 * latency} ns")))
    assert isinstance(found, Layer)
    return found


def wrong(found: LayerVerification) -> list[str]:
    return [
        f"{row.setting.title}: {row.cycles}, {row.rtl_cycles} {row.failures[:1]}"
        for row in found.rows
        if not row.passed
    ]


@pytest.mark.parametrize("in_flight", [1, 2])
def test_the_two_layers_at_three_latencies(machine: Device, in_flight: int) -> None:
    rng = np.random.default_rng(SEED)
    window = f"mapping.groups.attention.in_flight={in_flight}"
    cases, layers = [], []
    for latency in LATENCIES:
        for sizes in (("M=64", "P=16"), ("M=61", "P=13")):
            for workload in ("head-1pass", "causal-head-1pass"):
                layer = of(workload, *sizes, window, latency=latency)
                job = job_of(layer, tensors_of(layer, rng), WORDS)
                name = " ".join([workload, *sizes, str(latency)])
                cases.append(Case(name, "machine", (job,), pins={"latency": latency}))
                layers.append(layer)
    results = simulate([machine], cases, x_seeds=(1,))
    assert [f"{r.case.name}: {r.failures[0]}" for r in results if r.failures] == []
    for result, layer in zip(results, layers, strict=True):
        moved = result.observed.transfers
        assert moved["status"][0][0] - moved["program"][-1][0] - 1 == layer.cycles


def test_heads_back_to_back_leave_nothing_behind(machine: Device) -> None:
    """Scratchpads, sums and tokens of one program mean nothing to the next."""
    rng = np.random.default_rng(SEED)
    layers = [of("head-1pass", "M=20", "P=9"), of("causal-head-1pass", "M=33", "P=17"), of("head-1pass", "M=3", "P=1")]
    jobs = tuple(job_of(layer, tensors_of(layer, rng), WORDS) for layer in layers)
    (result,) = simulate([machine], [Case("three", "machine", jobs, pins={"latency": 20})], x_seeds=(1,))
    assert result.failures == ()


def test_sizes_that_nobody_chose() -> None:
    found = verify_layer("layer", [], "verilator", SEED)
    assert wrong(found) == []
    assert len(found.rows) == 20
    assert {row.latency for row in found.rows} == set(LATENCIES)


def test_a_smaller_machine() -> None:
    found = verify_layer("layer", SMALL, "verilator", SEED, cases=10)
    assert wrong(found) == []


def test_depth_cycle_says_the_same_from_the_command_line() -> None:
    result = simulate_named("layer", "causal-head-1pass", ["M=61", "P=13"], depth="cycle")
    assert result.cycles == of("causal-head-1pass", "M=61", "P=13").cycles


def test_more_in_flight_and_more_room_are_never_slower() -> None:
    """The order of starts is exported from a run, so that this is no law; on these sizes it holds, with a gain."""
    cycles = [of("head-1pass", f"mapping.groups.attention.in_flight={n}").cycles for n in (1, 2, 4)]
    assert cycles[0] > cycles[1] >= cycles[2]


def test_the_golden_model_is_attention() -> None:
    """The output in double precision of the same bytes, to the accuracy of the formats."""
    layer = of("causal-head-1pass", "M=61", "P=13")
    tensors = tensors_of(layer, np.random.default_rng(SEED))
    scores = (tensors.q @ tensors.k.T) * tensors.scale.multiplier * 2.0**-tensors.scale.shift / 2**10
    scores[~causal(13, 61)] = -np.inf
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    exact = weights @ tensors.v / weights.sum(axis=1, keepdims=True)
    found = result_of(layer, tensors).output / 2.0**15
    assert (np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)).max() < 1e-3


def test_a_program_is_what_the_machine_is_given() -> None:
    layer = of("head-1pass", "M=16", "P=8")
    job = job_of(layer, tensors_of(layer, np.random.default_rng(SEED)), WORDS)
    mine = [each for each in map(decode, job.inputs["program"]) if each.op != "SETP"]
    given = program_at("layer", ["M=16", "P=8"])
    assert list(map(encode, mine)) == [encode(each) for each in given if each.op != "SETP"]
    assert {op: sum(each.op == op for each in mine) for op in ("LOAD", "MATMUL", "SOFTMAX", "STORE", "HALT")} == {
        "LOAD": 5,
        "MATMUL": 4,
        "SOFTMAX": 2,
        "STORE": 1,
        "HALT": 1,
    }


def test_what_is_given_is_not_drawn() -> None:
    found = settings("layer", ["M=61", "causal=true"], np.random.default_rng(1), 5)
    assert all("M=61" in each.overrides and each.workload == "causal-head-1pass" for each in found)
    assert len({each.overrides for each in found}) == 5


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["E=12"], "E is 12; it must be a multiple of 8, the bytes of a word"),
        (["mapping.groups.attention.in_flight=5"], "tiles in flight: 5, and the machine has room for 4"),
        (["mapping.keep.buffer.tensors.K.copies=17"], "17 tiles of K need"),
        (
            ["arch.levels.buffer.rtl.queue=40", "M=72", "P=72"],
            "instructions, and a queue takes 38 before the program must",
        ),
        (["arch.levels.buffer.slots=false", "M=61", "P=13"], "its level must have slots: true"),
        (["causal=perhaps"], 'causal: must be true or false, got "perhaps"'),
        (["H=2"], "there are 2 heads; the machine runs one at a time"),
        (["arch.units.vector.lanes=4"], "vector has 4 lanes; it takes as many as array has columns, 8"),
        (["arch.units.array.rtl.mac_registers=9"], 'mac_registers: must be an integer from 0 to 8, got "9"'),
        (["arch.units.vector.rtl.scale_stages=x"], "scale_stages: must be a number"),
        (["arch.levels.dram.latency=12 ns"], "the latency of dram must be a whole number of cycles, not 2.4"),
        (
            ["mapping.groups.attention.together={DIVIDE: [AV]}"],
            "what is done together must be what the machine does at once",
        ),
    ],
)
def test_what_the_machine_cannot_run_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        settings("layer", overrides, np.random.default_rng(1), 3)
    assert message in str(caught.value)
