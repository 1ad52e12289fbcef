"""Which engine keeps up with a rate: bounds, what more lanes and more engines give, and the choice among designs."""

from __future__ import annotations

import json
from dataclasses import replace
from math import ceil
from typing import Any

import pytest

from accelsim.cli import main
from accelsim.errors import AccelsimError
from accelsim.units.topk.engines import ENGINES, Engine
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.law import quick_mean
from accelsim.units.topk.rate import LANES, balance, cheapest, demand, design_space, lanes_needed

QUICK = ENGINES["quickselect"]
EACH = pytest.mark.parametrize("engine", ENGINES.values(), ids=lambda engine: engine.name)


@EACH
@pytest.mark.parametrize("overlap", ["none", "filter", "all"])
def test_no_engine_is_faster_than_scores_come(engine: Engine, overlap: str) -> None:
    asked = demand(Ranking(100, 30), 12, 2.5, samples=20)
    found = balance(engine, engine.params(lanes=64, overlap=overlap), asked)
    assert found.interval >= asked.budget == 40
    assert 0 <= found.stall < 1
    assert found.engines >= found.interval / 40 > found.engines - 1
    assert found.p99 <= found.worst


@EACH
def test_the_lanes_needed_are_the_fewest(engine: Engine) -> None:
    """Half of them do not keep up, and they do; what cannot keep up does not with any."""
    asked = demand(Ranking(200, 60), 12, 0.25, samples=20)
    params = engine.params(overlap="all")
    found = lanes_needed(engine, params, asked)
    assert found is not None
    assert found.stall <= asked.stall
    if found.params.lanes > 1:
        assert balance(engine, replace(params, lanes=found.params.lanes // 2), asked).stall > asked.stall
    hurried = demand(Ranking(200, 60), 12, 1000, samples=20)
    assert lanes_needed(engine, params, hurried) is None


def test_a_slower_rate_never_needs_more_lanes() -> None:
    found = [
        lanes_needed(QUICK, QUICK.params(overlap="all"), demand(Ranking(512, 100), 12, rate)) for rate in (8, 2, 0.5)
    ]
    lanes = [option.params.lanes for option in found if option]
    assert len(lanes) == 3
    assert lanes == sorted(lanes, reverse=True)
    assert set(lanes) <= set(LANES)


def test_sixteen_lanes_beside_eight_scores_in_a_cycle() -> None:
    """The law alone decides: FILL is the whole budget, and the mean of SELECT is more again than the budget.

    So a quick-select of 16 lanes keeps up for no part of 1024 scores that is kept, whatever runs beside what; as FILL
    and SELECT of one job follow each other, the interval with `filter` is the budget and that mean.
    """
    for keep in (102, 307, 512):
        asked = demand(Ranking(1024, keep), 12, 8)
        law = quick_mean(QUICK.params(lanes=16), asked.job)
        assert law is not None
        assert law > 1.5 * asked.budget
        apart = balance(QUICK, QUICK.params(lanes=16, overlap="filter"), asked)
        assert apart.interval == pytest.approx(asked.budget + law, rel=0.03)
        together = balance(QUICK, QUICK.params(lanes=16, overlap="all"), asked)
        assert together.interval == pytest.approx(law, rel=0.04)
        assert together.engines == ceil(together.interval / asked.budget)


def test_passes_alone_are_too_long_for_few_scores() -> None:
    """Each of H(k) + H(n - k + 1) - 1 passes takes a cycle and its overhead however many lanes there are."""
    for n in (64, 256):
        asked = demand(Ranking(n, n // 2), 12, 8)
        law = quick_mean(QUICK.params(lanes=4096), asked.job)
        assert law is not None
        assert law > asked.budget / (1 - asked.stall)
        assert lanes_needed(QUICK, QUICK.params(overlap="all"), asked) is None


def test_the_choice_has_the_least_logic_of_all_that_keep_up() -> None:
    asked = demand(Ranking(256, 50), 12, 2, samples=20)
    space = design_space(asked)
    options = [option for option in space.values() if option]
    best = cheapest(options)
    assert set(space) == set(ENGINES)
    assert best is not None
    assert all(option.stall <= asked.stall for option in options)
    assert all(best.parts.logic <= option.parts.logic for option in options)
    plain = lanes_needed(ENGINES["radixselect"], ENGINES["radixselect"].params(overlap="all"), asked)
    radix = space["radixselect"]
    assert plain is not None
    assert radix is not None
    assert radix.parts.logic <= plain.parts.logic
    assert cheapest([]) is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rate": 0.0}, 'rate: must be above 0 and at most 4096, got "0"'),
        ({"rate": float("nan")}, 'rate: must be above 0 and at most 4096, got "nan"'),
        ({"stall": 1.0}, 'stall: must be from 0 to below 1, got "1"'),
        ({"samples": 1}, 'samples: must be at least 2, got "1"'),
        ({"samples": 10**6}, "samples: 1000000 jobs of 100 scores are more than 16777216 scores"),
        ({"score_bits": 6}, "score_bits: 6 hold 64 distinct scores, n is 100: give more bits, or scores=uniform"),
    ],
)
def test_demands_that_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        demand(Ranking(100, 30), **{"score_bits": 12, "rate": 8.0, **changed})
    assert str(caught.value) == message


# The command line.


def reply(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = main(["topk", *words, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    return status, found


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    words = "--rate 2 --n 64 128 --keep 0.25 1 --lanes 8 --samples 20"
    status, found = reply(capsys, *words.split())
    assert (status, found["kind"], found["rate"], found["lanes"]) == (0, "topk", 2, 8)
    assert [(job["n"], job["k"], job["budget"]) for job in found["jobs"]] == [
        (64, 16, 32),
        (64, 64, 32),
        (128, 32, 64),
        (128, 128, 64),
    ]
    first, keeps_all = found["jobs"][:2]
    assert set(first["engines"]) == set(ENGINES)
    assert first["quickselect"]["all"]["params"]["lanes"] == 8
    assert first["lanes_needed"]["none"] is None  # FILL and FILTER alone take twice the budget
    assert keeps_all["lanes_needed"]["all"] == 1  # nothing to choose
    assert main(["topk", *words.split()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 scores in a cycle; quick-select with 8 lanes, its three parts at once"
    assert len(lines) == 2 + 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--keep 1.5", 'keep: must be from 0 to 1, got "1.5"'),
        ("--lanes 0", 'lanes: must be an integer from 1 to 4096, got "0"'),
        ("--scores normal", 'scores: must be distinct, uniform or softmax, got "normal"'),
        ("--n x", "argument --n: invalid int value: 'x'"),
    ],
)
def test_words_that_are_refused(capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    status, found = reply(capsys, *words.split(), "--samples", "5")
    assert (status, found["kind"]) == (2, "error")
    assert message in found["message"]
