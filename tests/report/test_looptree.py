"""The tree of loops says what the mapping says: every loop, every tensor that is kept, each where it holds."""

from __future__ import annotations

from pathlib import Path

from accelsim.arch import load_arch
from accelsim.mapping import load_mapping
from accelsim.report.looptree import looptree_text
from accelsim.simulate import placed
from accelsim.workload import load_workload
from tests.mapping.small import changed

FLAT = """\
group attention: QK GM SN SD A AV; buffer holds 31.75 MiB of 32 MiB
in registers: SN -> SD
kept at no level: AV, K, Q, V
for b in 64
  for h in 12
    for p2 in 1, 4096 p each
      buffer keeps QK 31.75 MiB, SN 31.75 MiB in place of QK, A 31.75 MiB in place of QK
      for p1 in 16, 256 p each
        buffer keeps GM 512 B, SD 512 B
        for m1 in 16, 256 m each
          QK  on pe2d, rows m0=256, cols p0=256, 64 steps of e, 100% of the PEs
        GM  on pe1d, lanes m0=256, 256 steps of p, 16 steps of m, 100% of the PEs
        SN  on pe1d, lanes m0=256, 16 steps of m, 256 steps of p, 100% of the PEs
        SD  on pe1d, lanes m0=256, 256 steps of p, 16 steps of m, 100% of the PEs
        A   on pe1d, lanes m0=256, 16 steps of m, 256 steps of p, 100% of the PEs
        AV  on pe2d, rows p0=256, cols f=64, 4096 steps of m, 25% of the PEs"""
SMALL = """\
group one: Y; l1 holds 44 B of 100 B
kept at no level: Y
l1 keeps B 40 B
for m1 in 3, 2 m each
  l1 keeps A 4 B
  for n in 5
    Y  on grid, rows m0=2, cols n=3, 4 steps of k, 41.7% of the PEs
group two: Z
kept at no level: D, Y, Z
for m1 in 3, 2 m each
  Z  on line, lanes j=2 m0=2, 2 steps of j, 5 steps of n, 60% of the PEs"""


def test_a_shipped_mapping() -> None:
    (placement,) = placed(load_arch("flat"), load_workload("bert", ["L=4096"]), None)
    assert looptree_text(placement) == FLAT


def test_ragged_tiles_and_several_groups() -> None:
    assert looptree_text(changed().placement) == SMALL


def test_einsums_stand_behind_the_loops_whose_results_they_read() -> None:
    (placement,) = placed(load_arch("fusemax"), load_workload("bert", ["L=1024"]), None)
    text = looptree_text(placement)
    lines = [line.split()[0] for line in text.splitlines()]
    assert lines.index("AV") == len(lines) - 1
    assert text.count("for p1 in 4, 256 p each") == 2  # inside m1, and behind it for AV
    assert "SPD -> RD" in text


def test_passes_are_loops_of_their_own(tmp_path: Path) -> None:
    """SN waits for the maximum over all keys: the same loop is gone through a second time."""
    text = PASSES.format(arch="fusemax")
    (tmp_path / "passes.yaml").write_text(text, encoding="utf-8")
    arch, workload = load_arch("fusemax"), load_workload("attention-3pass", ["B=1", "H=1", "E=64", "M=1024"])
    (placement,) = placed(arch, workload, load_mapping(str(tmp_path / "passes.yaml")))
    lines = [line.split()[0:2] for line in looptree_text(placement).splitlines()]
    at = [place for place, words in enumerate(lines) if words == ["for", "m1"]]
    assert len(at) == 2
    assert [words[0] for words in lines[at[0] + 1 : at[1]]] == ["QK", "GM"]


PASSES = """\
schema: accelsim/mapping/1
name: passes
for: {{arch: {arch}, function: attention, cascade: 3pass}}
split: {{m: {{m1: rest, m0: 256}}, p: {{p1: rest, p0: 256}}}}
groups:
  - {{loops: [b, h, p1, m1], einsums: [QK, GM, SN, SD, A, AV], at: {{A: [b, h, p1], AV: [b, h, p1]}}}}
spatial: {{pe2d: {{rows: m0, cols: p0}}, pe1d: {{lanes: p0}}}}
bind: {{pe2d: [QK, GM, SN, SD, AV], pe1d: [A]}}
keep: {{buffer: {{tensors: {{QK: {{at: p1}}, GM: {{at: p1}}, SN: {{at: p1}}, SD: {{at: p1}}, A: {{at: p1}}}}}}}}
"""
