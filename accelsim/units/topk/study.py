"""What a top-k engine takes: samples, its exact law where there is one, its worst case, and what it is made of."""

from __future__ import annotations

import numpy as np

from accelsim.units.topk.costs import cost_report
from accelsim.units.topk.engines import CYCLES, ENGINES
from accelsim.units.topk.job import Ranking, interval
from accelsim.units.topk.law import mean_passes, quick_law, quick_mean
from accelsim.units.topk.parts import Params
from accelsim.units.topk.quick import QuickParams
from accelsim.units.topk.sample import drawn_jobs, mean_and_quantiles, mean_compared, mean_steps, sampled_spans, taken


def study(name: str, params: Params, job: Ranking, samples: int, seed: int) -> dict[str, object]:
    """Cycles of SELECT over sampled jobs (mean, p95, p99, max), and beside them, as plain data

    - `worst_case`: what no job exceeds;
    - `exact`: mean and quantiles of quick-select by its law, where scores are distinct; none where that takes too long;
    - `job`: cycles from the first score to the last output, FILL, FILTER and registers with SELECT;
    - `stages`: the mean of each;
    - `interval`: cycles from a job to the next, all waiting, and the scores per cycle that this is;
    - `steps`: passes, or insertions, of a job; `cost`: its parts, area and energy.

    Raises:
        AccelsimError: samples out of range, or scores that so few bits do not hold.
    """
    engine = ENGINES[name]
    found = taken(engine, params, job, drawn_jobs(job, params.score_bits, samples, seed))
    spans = sampled_spans(engine, params, job, found)
    worst = engine.worst(params, job)
    whole = np.array([sum(span) + params.filter_stages for span in spans])
    longest = sum(engine.spans(params, job.n, worst)) + params.filter_stages
    fill, select, last = np.array(spans).mean(0).tolist()
    between = interval(spans, params.overlap) if samples > 1 else None
    return {
        "measured": "cycles of SELECT",
        **mean_and_quantiles(found[:, CYCLES]),
        "worst_case": worst,
        "samples": samples,
        "seed": seed,
        "exact": _exact(params, job),
        "job": {**mean_and_quantiles(whole), "worst_case": longest},
        "stages": {"fill": fill, "select": select, "filter": last},
        "interval": between,
        "scores_per_cycle": job.n / between if between else None,
        "steps": mean_steps(found),
        "cost": cost_report(name, params, job, mean_compared(found)),
    }


def _exact(params: Params, job: Ranking) -> dict[str, float | None] | None:
    if not isinstance(params, QuickParams) or job.scores != "distinct" or job.bypasses:
        return None
    law = quick_law(params, job)
    quantiles = (None, None) if law is None else (float(law.p95), float(law.p99))
    mean = quick_mean(params, job) if law is None else law.mean
    return {"mean": mean, "p95": quantiles[0], "p99": quantiles[1], "passes": mean_passes(job.n, job.k)}
