"""The cocotb test module: runs all cases of the file that $ACCELSIM_BENCH names and writes what was seen beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cocotb

from rtl.sim.codec import Plain, case_from, plain_observed
from rtl.sim.engine import Wires, observe, wires_of
from rtl.sim.steps import stepped

VARIABLE = "ACCELSIM_BENCH"


async def observe_all(wires: Mapping[str, Wires], cases: Sequence[Plain], seen: list[Plain]) -> None:
    """Run all cases and add what was seen of each."""
    for each in cases:
        case = case_from(each)
        seen.append(plain_observed(await observe(wires[case.device], case)))


@cocotb.test()
async def run_cases(dut: Any) -> None:
    folder = Path(os.environ[VARIABLE])
    plain = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    wires = {name: wires_of(dut, name, interface) for name, interface in plain["devices"].items()}
    for one in wires.values():
        one.clock.write(0)
    seen: list[Plain] = []
    await stepped(observe_all(wires, plain["cases"], seen))
    (folder / "observed.json").write_text(json.dumps(seen), encoding="utf-8")
