"""Cascade pruning as a cascade against the algorithm written out in numpy, and against laws that it must keep."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from accelsim.einsum.counts import count, count_einsums
from accelsim.einsum.evaluate import evaluate
from accelsim.einsum.measured import measured
from accelsim.workload import Step, load_workload, steps
from accelsim.workload.trace import read_trace
from tests.einsum.build import shapes_of
from tests.einsum.pruning import Schedule, filtered, generated, largest, quick_select, summarised
from tests.source import ROOT

SENTENCE = {"LAYERS": 4, "H": 4, "M": 12, "E": 5, "WHOLE": 1, "DROP0": 200, "DROP1": 600, "HWHOLE": 2, "HDROP0": 300}
TOKENS = {"LAYERS": 3, "TOKENS": 3, "PROMPT": 9, "H": 3, "E": 4, "WHOLE": 1, "DROP0": 300, "DROP1": 700, "HWHOLE": 1}
SMALL = {"pruned-attention": SENTENCE, "pruned-decode": {**TOKENS, "HDROP0": 400, "VKEEP": 400}}


def step_of(name: str, **sizes: int) -> Step:
    (step,) = steps(load_workload(name, [f"{key}={value}" for key, value in {**SMALL[name], **sizes}.items()]))
    return step


def inputs_of(step: Step, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Integers where the types say so: products and sums of them are exact in any order."""
    found = {name: _drawn(step, name, np.random.default_rng([seed, at])) for at, name in enumerate(step.types)}
    given = {name: found[name] for name in step.shapes.cascade.inputs}
    sentence = step.function == "pruned-attention"
    return given | ({"SC": np.array(2e-4)} if sentence else {"SC": np.array(2e-5), "TAU": np.array(0.4)})


def _drawn(step: Step, name: str, rng: np.random.Generator) -> NDArray[Any]:
    shape, most = step.shapes.shapes[name], {"int4": 15, "int8": 100, "int12": 100}.get(step.types[name].name)
    return rng.integers(0 if name == "KL" else -most, most + 1, shape) if most else rng.random(shape)


def schedule_of(step: Step) -> Schedule:
    maps = step.shapes.cascade.maps
    return Schedule(maps["kept"], maps["heads"], maps["values"])


# The schedule.


def test_a_schedule_leaves_the_first_layers_whole_and_falls_in_a_line() -> None:
    """15 % of 12 layers are 2 that drop nothing; then the shares run from 10 % to 55 %, a twentieth at each layer."""
    (step,) = steps(load_workload("pruned-attention", ["LAYERS=12", "H=12", "M=400", "DROP0=100", "DROP1=550"]))
    assert step.shapes.cascade.maps["kept"] == (400, 400, *(400 * (90 - 5 * at) // 100 for at in range(10)))
    assert step.shapes.cascade.maps["heads"] == (12,) * 12


# Against the algorithm written out.


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_a_sentence_is_pruned_as_the_algorithm_says(seed: int, short: int) -> None:
    step = step_of("pruned-attention", VKEEP=500, SHORT=short)
    inputs = inputs_of(step, seed)
    found, expected = evaluate(step.shapes, inputs), summarised(inputs, schedule_of(step), short)
    np.testing.assert_allclose(found["AO"].array, expected["AO"], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(found["ST"].array[-1], expected["worth"], rtol=1e-11)
    np.testing.assert_allclose(found["SH"].array[-1], expected["heads"], rtol=1e-11)
    for layer, (tokens, heads) in enumerate(expected["kept"]):
        assert set(found["TI"].array[layer, : len(tokens)]) == tokens
        assert set(found["HI"].array[layer, : len(heads)]) == heads


@pytest.mark.parametrize("seed", range(3))
def test_generation_is_pruned_and_refetched_as_the_algorithm_says(seed: int) -> None:
    step = step_of("pruned-decode")
    inputs = inputs_of(step, seed)
    found = evaluate(step.shapes, inputs)
    expected = generated(inputs, schedule_of(step), TOKENS["LAYERS"], TOKENS["PROMPT"])
    np.testing.assert_allclose(found["AO"].array, expected["AO"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found["ST"].array[-1], expected["worth"], rtol=1e-9)
    np.testing.assert_allclose(found["SH"].array[-1], expected["heads"], rtol=1e-9)
    flags = np.argwhere(found["RF"].array == 1)
    assert {(t, int(found["HI"].array[t, n])) for t, n in flags} == expected["refetched"]
    assert 0 < len(expected["refetched"]) < sum(schedule_of(step).heads)


def test_without_pruning_it_is_attention() -> None:
    step = step_of("pruned-attention", DROP0=0, DROP1=0, HDROP0=0)
    inputs = inputs_of(step)
    scores = np.einsum("lhqe,lhke->lhqk", inputs["Q"], inputs["K"]) * float(inputs["SC"])
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    expected = np.einsum("lhqk,lhkf->lhqf", raised / raised.sum(axis=-1, keepdims=True), inputs["V"])
    np.testing.assert_allclose(evaluate(step.shapes, inputs)["AO"].array, expected, rtol=1e-11, atol=1e-12)


def test_what_is_dropped_never_comes_back() -> None:
    """The cascade ranks all tokens in every layer, the dropped ones too: their scores stand still, the others grow."""
    step = step_of("pruned-attention", M=24, LAYERS=6)
    found = evaluate(step.shapes, inputs_of(step, 5))
    for name, table in (("TI", "kept"), ("HI", "heads")):
        kept = [set(found[name].array[at, :n]) for at, n in enumerate(step.shapes.cascade.maps[table])]
        assert all(later <= earlier for earlier, later in pairwise(kept))
        assert len(kept[-1]) < len(kept[0])


def test_a_token_may_come_back_in_generation() -> None:
    """Every token begins again with all keys that its first layer keeps."""
    step = step_of("pruned-decode")
    found = evaluate(step.shapes, inputs_of(step))
    kept = [set(found["TI"].array[t, :n]) for t, n in enumerate(step.shapes.cascade.maps["kept"])]
    assert kept[3] - kept[2]


# The selection of the paper.


@pytest.mark.parametrize("seed", range(20))
def test_quick_select_at_one_less_keeps_the_k_largest_and_the_lowest_of_equals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 6, 12).astype(float)
    k = int(rng.integers(1, 12))
    best = sorted(range(12), key=lambda at: (-data[at], at))
    assert largest(data, k, rng) == sorted(best[:k])


@pytest.mark.parametrize("seed", range(20))
def test_as_printed_the_threshold_is_one_too_far_and_the_released_engine_one_result_short(seed: int) -> None:
    """The target k ends at the (k+1)-th largest; at k-1, without the one more that is equal, k-1 are kept."""
    rng = np.random.default_rng(seed)
    data = rng.permutation(12).astype(float)
    k = int(rng.integers(2, 12))
    ranked = sorted(data, reverse=True)
    assert quick_select(data, k, rng)[0] == ranked[k]
    assert quick_select(data, k - 1, rng)[0] == ranked[k - 1]
    assert sorted(data[filtered(data, *quick_select(data, k - 1, rng))], reverse=True) == ranked[: k - 1]


# Counts.


@pytest.mark.parametrize("name", SMALL)
def test_counts_are_those_of_the_points_that_an_evaluation_visits(name: str) -> None:
    """With the statistics of the data: sums over the lists of what was kept, written out."""
    step = step_of(name)
    values = evaluate(step.shapes, inputs_of(step))
    found = count(measured(step.shapes, values), step.types).per_einsum
    s, depth = schedule_of(step), step.shapes.params["E"]
    if name == "pruned-attention":
        pairs = sum(h * k * k for h, k in zip(s.heads, s.tokens, strict=True))
        chosen = sum(h * k * v for h, k, v in zip(s.heads, s.tokens, s.values, strict=True))
        assert (found["QK"].macs, found["AV"].macs) == (pairs * depth, chosen * depth)
        assert found["VI"].operations == {"argtopk": pairs}
        return
    seen = [min(k, TOKENS["PROMPT"] + 1 + t // TOKENS["LAYERS"]) for t, k in enumerate(s.tokens)]
    flags = values["RF"].array.sum(axis=1)
    assert found["QM"].macs == depth * sum(h * k for h, k in zip(s.heads, seen, strict=True))
    assert found["QL"].macs == depth * sum(int(r) * k for r, k in zip(flags, seen, strict=True))
    assert found["AV"].macs == depth * sum(h * min(v, k) for h, v, k in zip(s.heads, s.values, seen, strict=True))


def test_of_a_sentence_what_is_left_is_moved_once() -> None:
    """Queries, keys, values and results of the tokens and heads that a layer keeps; 12 and 16 bits."""
    step = step_of("pruned-attention", VKEEP=500)
    s = schedule_of(step)
    rows = sum(h * k for h, k in zip(s.heads, s.tokens, strict=True))
    moved = count(step.shapes, step.types).bytes_by_tensor
    assert [moved[name] for name in ("Q", "K", "V", "AO")] == [-(-rows * 5 * bits // 8) for bits in (12, 12, 12, 16)]


def test_bytes_of_keys_are_those_of_what_was_kept() -> None:
    step = step_of("pruned-decode")
    s = schedule_of(step)
    seen = [min(k, TOKENS["PROMPT"] + 1 + t // TOKENS["LAYERS"]) for t, k in enumerate(s.tokens)]
    keys = sum(h * k for h, k in zip(s.heads, seen, strict=True)) * step.shapes.params["E"]
    assert count(step.shapes, step.types).bytes_by_tensor["KM"] == keys  # 8 bit


# Source: the traces released with SpAtten; 2 flops for each element of depth 64 of each key and value of each head.
MEDIUM = pytest.param("gpt2-medium-pruned", 1_022_899_456, marks=pytest.mark.slow)
RELEASED = [
    ("gpt2-small-pruned", 196_909_056),
    pytest.param("gpt2-medium-pruned", 1_022_899_456, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "flops"), RELEASED)
def test_the_released_traces_have_their_operations(name: str, flops: int) -> None:
    (step,) = steps(load_workload(name))
    found = count(step.shapes, step.types).per_einsum
    assert 2 * (found["QM"].macs + found["AV"].macs) == flops


def test_seven_of_a_hundred_heads_fetch_low_bits_in_the_small_trace() -> None:
    """323 of 4608 in the trace that was released (the paper says 5.9 % over all tasks)."""
    (step,) = steps(load_workload("gpt2-small-pruned"))
    assert sum(step.shapes.cascade.maps["RF"]) == 323


# Source: the same traces without pruning (rows of 993 to 1024 keys and values for each of 12 layers and heads).
def test_without_pruning_generation_has_the_operations_of_the_dense_trace() -> None:
    (step,) = steps(load_workload("pruned-decode", ["LAYERS=12", "H=12", "PROMPT=992", "TOKENS=32"]))
    found = count(step.shapes, step.types).per_einsum
    assert 2 * (found["QM"].macs + found["AV"].macs) == 1_189_675_008


def test_bytes_of_the_small_trace_are_the_released_ones_but_for_their_rounding() -> None:
    """The released bench fetches keys and values by eights: with that its 83,704,064 bytes come out to the last one."""
    trace = read_trace(ROOT / "workloads" / "traces" / "gpt2-small-pruned.csv").columns
    rows = list(zip(trace["heads"], trace["keys"], trace["values"], trace["refetched"], strict=True))

    def moved(unit: int) -> int:
        whole = [(h, -(-k // unit) * unit, -(-v // unit) * unit, r) for h, k, v, r in rows]
        return sum(h * (k + v) * 64 * 6 // 8 + r * k * 64 * 4 // 8 for h, k, v, r in whole)

    assert moved(8) == 83_704_064
    (step,) = steps(load_workload("gpt2-small-pruned"))
    found = count(step.shapes, step.types).bytes_by_tensor
    assert found["KM"] + found["KL"] + found["V"] == moved(1)


# In place: nothing is gathered, what was dropped is masked where it stands.
MASKED = """
    ST[0,m]     = 0
    SH[0,h]     = 0
    TI[l,k]     = argtopk(ST[l,m]) over m where k < kept(l)
    HI[l,n]     = argtopk(SH[l,h]) over h where n < heads(l)
    KT[l,TI[l,k]] = 1
    KH[l,HI[l,n]] = 1
    QK[l,h,p,m] = Q[l,h,p,e] * K[l,h,m,e] where KT[l,p] == 1 and KT[l,m] == 1 and KH[l,h] == 1
    GM[l,h,p]   = max(QK[l,h,p,m]) over m where KT[l,p] == 1 and KH[l,h] == 1
    SN[l,h,p,m] = exp((QK[l,h,p,m] - GM[l,h,p]) * SC)
    SD[l,h,p]   = sum(SN[l,h,p,m]) over m where KT[l,p] == 1 and KH[l,h] == 1
    A[l,h,p,m]  = SN[l,h,p,m] / SD[l,h,p]
    VI[l,h,p,v] = argtopk(A[l,h,p,m]) over m where v < values(l)
    KV[l,h,p,VI[l,h,p,v]] = 1
    AO[l,h,p,f] = A[l,h,p,m] * V[l,h,m,f] where KV[l,h,p,m] == 1 and KT[l,p] == 1 and KH[l,h] == 1
    IT[l,m]     = sum(A[l,h,p,m]) over h,p
    IH[l,h]     = sum(abs(AO[l,h,p,f])) over p,f
    ST[l+1,m]   = ST[l,m] + IT[l,m]
    SH[l+1,h]   = SH[l,h] + IH[l,h]
"""


def test_masks_where_tokens_stand_give_the_same_values_and_products_as_gathering_them() -> None:
    step = step_of("pruned-attention", VKEEP=400)
    maps, sizes = step.shapes.cascade.maps, step.shapes.sizes
    ranks: dict[str, str | int] = {name: sizes[name] for name in "lhmkef"}
    ranks |= {"n": sizes["h"], "p": "like m", "v": "upto(M)"}
    inputs = "Q[l,h,m,e] K[l,h,m,e] V[l,h,m,f] SC"
    masked = shapes_of(MASKED, inputs, ranks, {"M": sizes["m"]}, maps=maps)
    given = inputs_of(step)
    found, expected = evaluate(masked, given), evaluate(step.shapes, given)
    np.testing.assert_allclose(found["AO"].array, expected["AO"].array, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(found["ST"].array, expected["ST"].array, rtol=1e-11)
    costs, known = count_einsums(measured(masked, found)), count_einsums(step.shapes)
    for mine, theirs in (("QK", "QK"), ("SN", "SN"), ("AO", "AV"), ("VI", "VI"), ("IT", "IT")):
        assert costs[mine] == known[theirs]
