"""Inputs whose numbers would be wrong without a word: each is refused, with its place and the value in question."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.errors import AccelsimError
from accelsim.simulate import simulate_named

ARCH = """\
schema: accelsim/arch/1
name: hand
clock: 1 GHz
levels:
  dram: {capacity: unlimited, bandwidth: 1 GB/s, component: sram}
  buffer: {capacity: 1 KiB, bandwidth: unlimited, component: sram}
units:
  array: {rows: 4, cols: 4, ops: {mac: {cycles: 1, uses: {mac: 1}}}, per_pe: {mac: 1}}
  lanes: {lanes: 4, ops: {relu: {cycles: 1, uses: {mac: 1}}}, per_pe: {mac: 1}}
components:
  sram: {energy: {read: 1 pJ/B, write: 1 pJ/B}, width: 1 B, area: unknown, node: 7 nm, class: guess, source: made up}
  mac: {energy: {use: 1 pJ/op}, area: unknown, node: 7 nm, class: guess, source: made up}
"""
WORKLOAD = """\
schema: accelsim/workload/1
name: two
function: {inputs: {X: [i, k], W: [k, j]}, outputs: {Y: [i, j]}}
params: {I: 8, J: 8, K: 8}
ranks: {i: I, j: J, k: K}
types: {default: fp16}
einsums: |
  H[i,j] = X[i,k] * W[k,j]
  Y[i,j] = relu(H[i,j])
"""
MAPPING = """\
schema: accelsim/mapping/1
name: two
for: {arch: hand, function: two}
split: {i: {i1: rest, i0: 4}, j: {j1: rest, j0: 4}}
groups:
  - {name: one, loops: [i1, j1], einsums: [H]}
  - {name: two, loops: [i1, j1], einsums: [Y]}
spatial: {array: {rows: i0, cols: j0}, lanes: {lanes: j0}}
bind: {array: [H], lanes: [Y]}
keep: {buffer: {tensors: {X: {at: i1}, W: {at: j1}}}}
"""
FILES = {"arch": ARCH, "workload": WORKLOAD, "mapping": MAPPING}


def run(folder: Path, depth: str = "analytic", **files: str) -> int | None:
    paths = {kind: folder / f"{kind}.yaml" for kind in FILES}
    for kind, path in paths.items():
        path.write_text(files.get(kind, FILES[kind]), encoding="utf-8")
    mapping = None if depth == "bound" else str(paths["mapping"])
    return simulate_named(str(paths["arch"]), str(paths["workload"]), (), mapping, depth).cycles


def refusal(folder: Path, kind: str, changes: tuple[str, ...], depth: str = "analytic") -> str:
    """The error after texts of one file were replaced (old, new, ..), without the folder."""
    text = FILES[kind]
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(AccelsimError) as caught:
        run(folder, depth, **{kind: text})
    return str(caught.value).rpartition("/")[2]


def test_without_a_slip_it_runs(tmp_path: Path) -> None:
    """8 x 8 results, a tile of 4 x 4 at a time, 8 steps each; the bytes: X, Y once, W twice, H there and back."""
    moved = 2 * (64 + 2 * 64 + 64 + 64 + 64)
    assert run(tmp_path) == moved


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ("[H]}", "[Y]}", "einsums: [Y]}\nspatial", "einsums: [H]}\nspatial"),
            "mapping.yaml:6:5: groups[0]: Y reads H, which the later group two makes",
        ),
        (("[i1, j1]", "[i1, j1, i1]"), "mapping.yaml:6:5: groups[0]: loops of H: i1 is named twice"),
        (
            ("X: {at: i1}", "X: {at: i1, overwrites: X}"),
            "mapping.yaml:10:30: keep.buffer.tensors.X: overwrites: leads back to itself: X -> X",
        ),
        (
            ("X: {at: i1}", "X: {at: i1, overwrites: W}", "W: {at: j1}", "W: {at: j1, overwrites: X}"),
            "mapping.yaml:10:30: keep.buffer.tensors.X: overwrites: leads back to itself: X -> W -> X",
        ),
    ],
)
def test_mappings_without_sense(tmp_path: Path, changes: tuple[str, ...], message: str) -> None:
    assert refusal(tmp_path, "mapping", changes) == message


def test_an_operator_that_no_unit_has(tmp_path: Path) -> None:
    """The bound tries every unit, so what each of them lacks is said, not what the first lacks."""
    assert refusal(tmp_path, "arch", ("relu", "exp"), "bound") == (
        'workload.yaml:9:3: no unit can run Y: unit array: Y: no entry for operator relu ("relu(H[i,j])"); the table '
        'has mac | unit lanes: Y: no entry for operator relu ("relu(H[i,j])"); the table has exp'
    )
