"""Searches in processes, within a time: the same answers, and always one."""

from __future__ import annotations

from math import inf

import pytest

from accelsim.arch import load_arch
from accelsim.mapper import jobs
from accelsim.mapper.fold import PARETO
from accelsim.mapper.jobs import Effort, Job, answers, search
from accelsim.mapper.limits import Limits
from accelsim.mapper.offers import offers
from accelsim.workload import load_workload

SIZES = ["B=1", "H=1", "E=8", "M=32"]


def jobs_of(until: float = inf) -> list[Job]:
    arch = load_arch("edge")
    (forms,) = offers(arch, load_workload("attention", SIZES))
    return [Job(arch, step, Limits(), PARETO, until, 1) for form in forms[:3] for step in form.different]


@pytest.mark.slow
def test_processes_find_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    alone = answers(jobs_of(), Effort())
    monkeypatch.setattr(jobs, "PATIENCE_S", 0.0)
    together = answers(jobs_of(), Effort(workers=2, watch=said.append))
    assert [a.found for a in together] == [a.found for a in alone]
    assert [a.tally.looked_at for a in together] == [a.tally.looked_at for a in alone]
    assert said[-1].startswith("3 of 3 searches")


def test_a_search_whose_time_is_up_has_a_mapping_and_a_floor_under_it() -> None:
    for quick, whole in zip(map(search, jobs_of(until=0.0)), map(search, jobs_of()), strict=True):
        assert quick.tally.stopped
        assert not whole.tally.stopped
        assert quick.tally.looked_at <= whole.tally.looked_at
        for found in (quick.found, whole.found):
            assert min(f.seconds for f in found) >= quick.floor[0]
            assert min(f.energy_pj for f in found) >= quick.floor[1]
