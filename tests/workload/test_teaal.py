"""TeAAL files: loaded as they are, evaluated as they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.einsum.evaluate import evaluate
from accelsim.errors import AccelsimError
from accelsim.workload import Step, load_workload, steps

GEMM = """\
einsum:
  declaration:
    A: [K, M]
    B: [K, N]
    Z: [M, N]
  expressions:
    - Z[m, n] = A[k, m] * B[k, n]
mapping:
  rank-order: {A: [K, M]}
  loop-order: {Z: [M, N, K]}
format: {A: {Sparse: {K: {format: C}}}}
architecture: {Config: [{name: System}]}
bindings: {Z: [{config: Config}]}
"""
CONV = """\
einsum:
  declaration: {F: [S], I: [W], O: [Q]}
  expressions:
    - O[q] = I[q + s] * F[s]
"""
MTTKRP = """\
einsum:
  declaration: {A: [J, R], B: [K, R], C: [I, R], D: [K, R], T: [I, J, K]}
  expressions:
    - C[i, r] = T[i, j, k] * B[k, r] * A[j, r]
"""
SUMS = """\
einsum:
  declaration: {A: [M], B: [M, K], C: [K], T: [M], Z: [M]}
  expressions:
    - T[m] = B[m, k] * C[k]
    - Z[m] = A[m] + T[m]
"""


def load(folder: Path, text: str, *overrides: str) -> Step:
    path = folder / "example.yaml"
    path.write_text(text)
    (step,) = steps(load_workload(str(path), overrides))
    return step


def result(step: Step) -> tuple[Any, dict[str, Any]]:
    rng = np.random.default_rng(0)
    inputs = {name: rng.standard_normal(step.shapes.shapes[name]) for name in step.shapes.cascade.inputs}
    (output,) = step.shapes.cascade.outputs
    return evaluate(step.shapes, inputs)[output].array, inputs


def test_gemm(tmp_path: Path) -> None:
    step = load(tmp_path, GEMM, "K=3", "M=4", "N=5")
    found, given = result(step)
    assert (step.name, step.cascade_name, step.shapes.cascade.inputs) == ("example", "default", ("A", "B"))
    assert np.allclose(found, given["A"].T @ given["B"])
    assert {kind.name for kind in step.types.values()} == {"fp32"}


def test_elements_may_be_given_a_type(tmp_path: Path) -> None:
    step = load(tmp_path, GEMM, "K=3", "M=4", "N=5", "workload.types.default=bf16", "workload.types.Z=fp32")
    assert {name: kind.name for name, kind in step.types.items()} == {"A": "bf16", "B": "bf16", "Z": "fp32"}


def test_convolution(tmp_path: Path) -> None:
    found, given = result(load(tmp_path, CONV, "S=3", "W=7", "Q=5"))
    assert np.allclose(found, np.correlate(given["I"], given["F"], mode="valid"))


def test_convolution_beyond_its_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AccelsimError, match=r'example.yaml:4:\d+: .*index "q\+s" of I runs from 0 to 7'):
        load(tmp_path, CONV, "S=3", "W=7", "Q=6")


def test_mttkrp(tmp_path: Path) -> None:
    step = load(tmp_path, MTTKRP, "I=2", "J=3", "K=4", "R=5")
    found, given = result(step)
    assert "D" not in step.shapes.cascade.tensors, "declared and in no expression"
    assert np.allclose(found, np.einsum("ijk,kr,jr->ir", given["T"], given["B"], given["A"]))


def test_a_cascade_with_a_sum(tmp_path: Path) -> None:
    step = load(tmp_path, SUMS, "M=2", "K=3")
    found, given = result(step)
    assert (step.shapes.cascade.inputs, step.shapes.cascade.outputs) == (("A", "B", "C"), ("Z",))
    assert np.allclose(found, given["A"] + given["B"] @ given["C"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GEMM, "example.yaml:2:3: parameter K must be given: --set K=VALUE"),
        (
            GEMM.replace("A[k, m] * B[k, n]", "take(A[k, m], B[k, n], 0)"),
            "example.yaml:7:7: not supported yet: take(..)",
        ),
        (GEMM + "model: 1\n", "example.yaml:14:8: not supported yet: model"),
        (GEMM.replace("  expressions:", "  shape: {K: 4}\n  expressions:"), "not supported yet: einsum.shape"),
        (GEMM.replace("B[k, n]\n", "Q[k, n]\n"), 'example.yaml:7:7: tensor "Q" is not declared'),
        (GEMM.replace("B: [K, N]", "B: [k, N]"), 'einsum.declaration.B[0]: must be a rank in upper case, got "k"'),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)


def test_an_error_in_an_expression_has_its_place(tmp_path: Path) -> None:
    with pytest.raises(AccelsimError, match=r"example.yaml:7:27: B is B\[k,n\]; got 1 index"):
        load(tmp_path, GEMM.replace("* B[k, n]\n", "* B[k]\n"), "K=3", "M=4", "N=5")
