"""Energy of a job in memory: against the published ladder, the budget of power, and what is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from accelsim.cli import main
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_energy import energy_of
from accelsim.memory.pim_model import Stack
from accelsim.memory.pim_report import attention_done, done_report
from accelsim.memory.pim_run import run_attention
from accelsim.memory.pim_stream import Attention

LEVELS = ("bank", "bank-group", "buffer", "logic")
JOB = Attention(16, 2048, 128, 2)


def stack_of(level: str, rules: str = "released", *, refresh: bool = False) -> Stack:
    stack = load_stack("HBM3-PIM", level, rules, power_limit=True)
    return stack if refresh else replace(stack, timings={**stack.timings, "nREFI": 1 << 30})


def spent(stack: Stack, work: Attention = JOB) -> dict[str, float | None]:
    return energy_of(stack, attention_done(work, run_attention(stack, work)))


def known(parts: dict[str, float | None], *names: str) -> float:
    values = [parts[name] for name in names]
    return sum(value for value in values if value is not None)


@pytest.mark.parametrize(("level", "per_byte"), [("bank", 4.4), ("bank-group", 12.48), ("buffer", 26.32)])
def test_a_byte_costs_what_attacc_says(level: str, per_byte: float) -> None:
    """Its configuration has these pJ/B, activation included: rows that are read to their end."""
    found = spent(stack_of(level))
    assert known(found, "activate", "read") / (16 * 2 * 2048 * 128 * 2) == pytest.approx(per_byte, rel=0.01)
    assert found["multiply"] == pytest.approx(16 * 2 * 2048 * 128 * 0.32)


@pytest.mark.parametrize("level", LEVELS)
def test_the_budget_of_power_is_in_the_same_pj(level: str) -> None:
    stack = stack_of(level, "corrected")
    pj_per_bit = sum(stack.energy.step_pj_per_bit[name] or 0 for name in stack.level.read_path)
    queries = stack.banks_per_command * 16 * float(stack.level.multiply_pj[2] or 0)
    assert stack.power.activate == stack.banks_per_command * (stack.energy.activate_pj or 0)
    assert stack.power.mac == pytest.approx(stack.banks_per_command * 256 * pj_per_bit + queries, rel=0.001)
    assert stack.power.query == pytest.approx(queries, rel=0.05)


@pytest.mark.parametrize("level", LEVELS[:3])
def test_a_path_and_the_moves_beyond_it_are_the_whole_way(level: str) -> None:
    """From a cell over the interposer a bit costs 3.48 pJ, wherever the multipliers stop it; at the buffer moves do not
    leave the die."""
    stack = stack_of(level)
    on_dies = 0 if level == "buffer" else sum(stack.energy.step_pj_per_bit[name] or 0 for name in stack.level.move_path)
    read = sum(stack.energy.step_pj_per_bit[name] or 0 for name in stack.level.read_path)
    assert float(read + on_dies) + 0.3 == pytest.approx(3.48)


def test_a_group_reads_once_and_multiplies_for_each() -> None:
    one, four = (spent(stack_of("bank"), replace(JOB, group=group)) for group in (1, 4))
    assert (four["read"], four["activate"]) == (one["read"], one["activate"])
    for name in ("multiply", "move", "outside"):
        assert four[name] == pytest.approx(4 * known(one, name))


def test_what_happens_without_a_figure_is_unknown() -> None:
    stack = stack_of("buffer", refresh=True)
    found = spent(stack)
    assert (found["softmax"], found["refresh"], found["background"]) == (None, None, None)
    assert spent(stack_of("buffer"))["refresh"] == 0
    assert spent(stack, replace(JOB, element_bytes=1))["multiply"] is None
    told = replace(stack.energy, refresh_pj=Fraction(1000), background_mw=Fraction(2000), softmax_pj=Fraction(3))
    run = run_attention(stack, JOB)
    other = spent(replace(stack, energy=told))
    assert other["refresh"] == 16 * run.counts["REF"] * 1000
    assert other["background"] == pytest.approx(run.cycles * 769 * 2)  # 2 W are 2 pJ a ps
    assert other["softmax"] == 3 * 16 * 2048


def test_appends_cost_a_write_from_outside() -> None:
    found = spent(stack_of("bank", "corrected"))
    assert found["append"] == pytest.approx(16 * 2 * 128 * 2 * 8 * 3.48)
    assert found["outside"] == pytest.approx(16 * 2 * 128 * 2 * 8 * 0.3)


def test_a_report_adds_what_is_known() -> None:
    stack = stack_of("bank")
    report = done_report(stack, attention_done(JOB, run_attention(stack, JOB)))
    parts, unknown = report["energy_by"], report["energy_unknown"]
    assert isinstance(parts, dict)
    assert report["energy_pj"] == pytest.approx(sum(value for value in parts.values() if value is not None))
    assert unknown == [name for name, value in parts.items() if value is None] == ["softmax", "background"]


def test_the_probe_shows_energy(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("level=bank", "bytes=2", "power_limit=true", "pairs=16", "length=2048", "head_dim=128")
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["unit", "pim", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["report"]
    assert found["energy_by"]["read"] == pytest.approx(16 * 2 * 2048 * 128 * 2 * 8 * 0.44)
    assert found["energy_by"]["background"] is None
    assert found["bandwidth_bytes_per_s"] == pytest.approx(16 * 2 * 2048 * 128 * 2 / found["seconds"])
    assert main(["unit", "pim", *words]) == 0
    assert "softmax unknown" in capsys.readouterr().out
