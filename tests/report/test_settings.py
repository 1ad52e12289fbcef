"""The `report:` block: what it says, and what it is told when it misnames something."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.errors import AccelsimError
from accelsim.explore import load_sweep
from accelsim.report.settings import Settings, read_settings
from tests.report.synthetic import SWEEP

HEAD = "schema: accelsim/sweep/1\naxes: {arch: [a, b], workload: [w]}\n"


def settings_of(folder: Path, text: str) -> Settings:
    path = folder / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return read_settings(load_sweep(path))


def test_everything_may_be_left_out(tmp_path: Path) -> None:
    assert settings_of(tmp_path, HEAD) == Settings()
    assert settings_of(tmp_path, f"{HEAD}report: {{}}\n") == Settings(labels={})


def test_the_block_is_read(tmp_path: Path) -> None:
    found = settings_of(tmp_path, SWEEP)
    assert found.baseline == "plain"
    assert [scope.name for scope in found.scopes] == ["attention", "layer"]
    assert found.overlays[0].arch("fused") == "fused-measured"
    assert found.overlays[0].arch("plain") == "plain"
    first, second, third = found.headlines
    assert (first.published, first.mean, first.overlay) == (6.7, "arithmetic", "measured")
    assert second.source == "ibid."
    assert (third.sizes, third.published, third.overlay) == ((65536,), None, "base")


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("baselin: a", 'unknown key "baselin"; did you mean "baseline"?'),
        ("archs: [wide, b], baseline: wid", 'report.baseline: unknown name "wid"; did you mean "wide"?'),
        ("focus: -1", 'report.focus: must be a positive integer, got "-1"'),
        ("scopes: {all: {workloads: []}}", "report.scopes.all.workloads: must be a list of at least one workload"),
        ("archs: [a], overlays: {o: {archs: {b: c}}}", 'report.overlays.o.archs.b: unknown name "b"'),
        ('scopes: {"../up": {workloads: [w]}}', 'a scope must have a name of letters, digits and "_.,+-", not "../up"'),
        ("headlines: [{quantity: speed}]", "report.headlines[0]: missing key"),
        (
            "headlines: [{quantity: speed, arch: a, over: b, scope: s}]",
            'report.headlines[0].quantity: unknown name "speed"; did you mean "speedup"?',
        ),
        (
            "headlines: [{quantity: energy, arch: a, over: b, scope: s, mean: median}]",
            'unknown name "median"; known: arithmetic, equal-work, geometric',
        ),
    ],
)
def test_what_it_misnames_is_told_with_its_place(tmp_path: Path, block: str, told: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        settings_of(tmp_path, f"{HEAD}report: {{{block}}}\n")
    assert told in str(caught.value)
