"""The analysis of a workload: its document, its page, and the sums over steps."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from accelsim.analyze import Analysis, analyze
from accelsim.einsum.counts import count
from accelsim.version import VERSION
from accelsim.workload import find_workloads, load_workload, steps
from tests.source import ROOT
from tests.workload.shipped import without_value

SIZES = ["B=2", "H=3", "E=4", "M=10", "P=10"]


def analyzed(name: str, overrides: list[str]) -> Analysis:
    return analyze(load_workload(name, overrides))


def document(name: str, overrides: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(analyzed(name, overrides).to_json(), allow_nan=False))
    return found


def test_the_document_of_one_step() -> None:
    found = document("attention-3pass", SIZES)
    assert found.pop("einsums")[0] == {
        "step": "attention",
        "name": "QK",
        "text": "QK[b,h,m,p] = sum(Q[b,h,e,p]*K[b,h,e,m]) over e",
        "points": 2400,
        "macs": 2400,
        "operations": {},
    }
    (step,) = found.pop("steps")
    digest = sha256((ROOT / "workloads" / "attention.yaml").read_bytes()).hexdigest()
    assert found == {
        "schema": 1,
        "kind": "analysis",
        "workload": "attention-3pass",
        "params": {"B": 2, "H": 3, "E": 4, "F": 4, "M": 10, "P": 10},
        "passes": {"b": 1, "h": 1, "e": 1, "f": 1, "m": 3, "p": 1},
        "chains": {"b": ["QK"], "h": ["QK"], "e": ["QK"], "f": ["AV"], "m": ["QK", "SD", "A"], "p": ["QK"]},
        "footprint": {"m": {"QK": 10, "SN": 10}},
        "macs": 4800,
        "flops": 9600,
        "operations": {"max": 600, "exp": 600, "sub": 600, "add": 600, "div": 600},
        "bytes": 1920,
        "bytes_by_tensor": {"Q": 480, "K": 480, "V": 480, "AV": 480},
        "intensity": 5.0,
        "provenance": {"workload": f"attention-3pass sha256:{digest[:16]}"},
        "version": VERSION,
    }
    assert (step.pop("name"), step.pop("cascade")) == ("attention", "3pass")
    assert step.items() <= found.items()


def test_a_layer_adds_its_steps_and_names_tensors_as_the_layer_does() -> None:
    workload = load_workload("bert-layer", ["L=16", "B=1"])
    found = analyze(workload)
    each = [count(step.shapes, step.types) for step in steps(workload)]
    assert found.macs == sum(part.macs for part in each)
    assert found.bytes == sum(part.bytes for part in each) == sum(found.bytes_by_tensor.values())
    assert found.operations["exp"] == 12 * 16 * 16
    assert found.passes["m"] == 3
    assert {"WQ", "WK", "WV", "WO", "Q", "AV"} <= set(found.bytes_by_tensor)
    assert [step.name for step in found.steps] == [step.name for step in steps(workload)]
    assert found.bytes_by_tensor["Q"] == 2 * found.steps[0].bytes_by_tensor["Q"]


def test_the_form_can_be_chosen_where_the_workload_leaves_it_open() -> None:
    workload = load_workload("attention", SIZES)
    assert analyze(workload).passes["m"] == 3
    assert analyze(workload, {"attention": "1pass"}.get).passes["m"] == 1


def test_the_page_of_one_step() -> None:
    assert analyzed("attention-1pass", [*SIZES, "M0=4"]).to_text().splitlines() == [
        "attention-1pass  B=2 H=3 E=4 F=4 M=10 P=10",
        "",
        "attention (1pass)  b=2 h=3 e=4 f=4 m=10 p=10 m1=3 m0=4",
        "                                                                      points   macs  other operations",
        "  RM[b,h,0,p] = lowest                                                    60      0",
        "  RD[b,h,0,p] = 0                                                         60      0",
        "  RNV[b,h,f,0,p] = 0                                                     240      0",
        "  QK[b,h,m1,m0,p] = sum(Q[b,h,e,p]*K[b,h,e,m1*M0+m0]) over e           2,400  2,400",
        "  LM[b,h,m1,p] = max(QK[b,h,m1,m0,p]) over m0                            600      0  max 600",
        "  RM[b,h,m1+1,p] = max(RM[b,h,m1,p],LM[b,h,m1,p])                        180      0  max 180",
        "  SLN[b,h,m1,m0,p] = exp(QK[b,h,m1,m0,p]-RM[b,h,m1+1,p])                 600      0  exp 600, sub 600",
        "  SLD[b,h,m1,p] = sum(SLN[b,h,m1,m0,p]) over m0                          600      0  add 600",
        "  SLNV[b,h,f,m1,p] = sum(SLN[b,h,m1,m0,p]*V[b,h,f,m1*M0+m0]) over m0   2,400  2,400",
        "  PRM[b,h,m1,p] = exp(RM[b,h,m1,p]-RM[b,h,m1+1,p])                       180      0  exp 180, sub 180",
        "  SPD[b,h,m1,p] = RD[b,h,m1,p]*PRM[b,h,m1,p]                             180      0  mul 180",
        "  SPNV[b,h,f,m1,p] = RNV[b,h,f,m1,p]*PRM[b,h,m1,p]                       720      0  mul 720",
        "  RD[b,h,m1+1,p] = SLD[b,h,m1,p]+SPD[b,h,m1,p]                           180      0  add 180",
        "  RNV[b,h,f,m1+1,p] = SLNV[b,h,f,m1,p]+SPNV[b,h,f,m1,p]                  720      0  add 720",
        "  AV[b,h,f,p] = RNV[b,h,f,M1,p]/RD[b,h,M1,p]                             240      0  div 240",
        "",
        "  passes over e: 1",
        "  passes over m: 1",
        "  passes over m0: 2 (LM < SLN); live elements: QK 4",
        "  operations: 4,800 mac, 780 max, 780 exp, 780 sub, 1,500 add, 900 mul, 240 div",
        "  compulsory bytes: 1,920 (Q 480, K 480, V 480, AV 480)",
        "  intensity: 5 flop/B (9,600 flop, 2 per mac)",
    ]


def test_the_page_of_a_layer_ends_with_the_total() -> None:
    text = analyzed("bert-layer", ["L=16", "B=1"]).to_text()
    assert text.count("\n\nattention (3pass)  ") == 1
    assert "\n\ntotal\n  operations: " in text


@pytest.mark.parametrize("name", [name for name, _ in find_workloads()])
def test_every_shipped_workload_is_analyzed_in_every_form(name: str) -> None:
    """All forms of a function have the same compulsory bytes, and none multiplies less than the plain one."""
    given = {"L": 32, "B": 2, "H": 4, "G": 2, "M": 32, "D": 16, "S": 24, "NB": 4, "TOP": 2, "P": 32, "R": 3}
    sizes = [f"{key}={given.get(key, 8)}" for key in without_value(name)]
    forms = load_workload(name, sizes).cascades
    found = [analyzed(name, [*sizes, f"cascade={form}"]) for form in forms] or [analyzed(name, sizes)]
    assert len({one.bytes for one in found}) == 1
    assert min(one.macs for one in found) == found[0].macs > 0
