"""What was mapped by hand is met: the five mappings of the FuseMax study, for all its models, short and long."""

from __future__ import annotations

import pytest

from accelsim.arch import load_arch
from accelsim.mapper.group import Tally
from accelsim.mapper.limits import Limits
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import best_mappings
from accelsim.simulate import simulate
from accelsim.workload import load_workload, steps

NEAR = 1 + 1e-12
FORMS = {"fusemax": "1pass", "fusemax-arch": "1pass", "fusemax-cascade": "1pass", "flat": "3pass", "unfused": "3pass"}
MODELS = ("bert", "trxl", "t5", "xlm")
APART = {("flat", "xlm", 1024), ("flat", "xlm", 65536)}  # keep a fraction of a tile, and one in the place of another


@pytest.mark.slow
@pytest.mark.parametrize("length", [1024, 65536])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("design", FORMS)
def test_the_shipped_mapping_is_met(design: str, model: str, length: int) -> None:
    """Some mapping is as fast, some needs no more energy, and one does both."""
    arch, workload = load_arch(design), load_workload(f"{model}-{FORMS[design]}", [f"L={length}"])
    by_hand = simulate(arch, workload)
    assert by_hand.energy_pj is not None
    seconds, energy_pj = float(by_hand.seconds) * NEAR, float(by_hand.energy_pj) * NEAR
    (step,) = steps(workload, lambda function: None)
    found = best_mappings(Problem(arch, step), Limits(), Tally())
    assert min(f.seconds for f in found) <= seconds
    assert min(f.energy_pj for f in found) <= energy_pj
    both = any(f.seconds <= seconds and f.energy_pj <= energy_pj for f in found)
    assert both != ((design, model, length) in APART)
