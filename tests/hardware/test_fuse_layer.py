"""FuseMax in small: a head on the machine whose array does softmax itself, and what its interleave gains."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware.layer.fuse import FuseLayer, fuse_result, fuse_tensors
from accelsim.hardware.layer.verify import WORDS, Setting, device_of, layer_at, settings, verify_layer
from rtl.bench import Case, simulate
from tests.rtl.blocks import SEED

pytestmark = pytest.mark.slow

HEAD = "tiled-head-1pass-local"
GROUP = "mapping.groups.attention"
ALONE = (f"{GROUP}.in_flight=1", f"{GROUP}.order={{array: [SCORES, WEIGHTS, VALUES], vector: [SCALE_ADD, DIVIDE]}}")
ROOM = tuple(f"mapping.keep.buffer.tensors.{name}.copies=4" for name in "KV")


def of(*overrides: str, latency: int = 1) -> FuseLayer:
    found = layer_at("fuse-layer", Setting(HEAD, (*overrides, f"arch.levels.dram.latency={5 * latency} ns")))
    assert isinstance(found, FuseLayer)
    return found


@pytest.mark.parametrize("latency", [1, 20])
def test_four_tiles_in_flight_against_one(latency: int) -> None:
    """64 keys, 16 queries, 16 elements, static order: both take in Verilog what depth cycle says."""
    layers = [of(*ROOM, *order, latency=latency) for order in (ALONE, ())]
    rng = np.random.default_rng(SEED)
    cases = [
        Case(name, "machine", (layer.job(rng, WORDS),), pins={"latency": latency})
        for name, layer in zip(("one", "four"), layers, strict=True)
    ]
    results = simulate([device_of(layers[0])], cases, x_seeds=(1,))
    assert [result.failures for result in results] == [(), ()]
    moved = [result.observed.transfers for result in results]
    taken = [each["status"][0][0] - each["program"][-1][0] - 1 for each in moved]
    assert taken == [layer.cycles for layer in layers]
    assert taken[0] / taken[1] > {1: 2.2, 20: 1.4}[latency]


def test_sizes_that_nobody_chose() -> None:
    found = verify_layer("fuse-layer", [], "verilator", SEED)
    wrong = [
        f"{row.setting.title}: {row.cycles}, {row.rtl_cycles} {row.failures[:1]}"
        for row in found.rows
        if not row.passed
    ]
    assert wrong == []
    assert len(found.rows) == 20


def test_the_golden_model_is_attention() -> None:
    """Attention in double precision of the bytes that the machine is given, to the accuracy of its formats."""
    layer = of("M=61", "P=24")
    tensors = fuse_tensors(layer, np.random.default_rng(SEED))
    scores = (tensors.q @ tensors.k.T) * 2.0 ** -(tensors.shift + 11)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    exact = weights @ tensors.v / weights.sum(axis=1, keepdims=True)
    found = fuse_result(layer, tensors) / 2.0**15
    assert (np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)).max() < 1e-3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["P=12"], "P is 12; queries must fill tiles of 8"),
        (["E=12"], "E is 12; it must be a multiple of 8"),
        (["F=40"], "columns of V: 40, and the machine has room for 32"),
        (["arch.units.array.rtl.input_registers=99"], "input_registers: must be an integer from 0 to 8"),
        (
            [
                "mapping.groups.attention.in_flight=2",
                "mapping.groups.attention.order={array: [SCORES, WEIGHTS+1, VALUES+2]}",
            ],
            "so in_flight must be at least 3",
        ),
    ],
)
def test_what_the_machine_cannot_run_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        settings("fuse-layer", overrides, np.random.default_rng(1), 3)
    assert message in str(caught.value)
