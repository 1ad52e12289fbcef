"""The cocotb test module: runs all cases of the file that $ACCELSIM_BENCH names and writes what was seen beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb

from rtl.sim.codec import case_from, plain_observed
from rtl.sim.engine import observe, wires_of

VARIABLE = "ACCELSIM_BENCH"


@cocotb.test()
async def run_cases(dut: Any) -> None:
    folder = Path(os.environ[VARIABLE])
    plain = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    wires = {name: wires_of(dut, name, interface) for name, interface in plain["devices"].items()}
    for one in wires.values():
        one.clock.write(0)
    seen = []
    for each in plain["cases"]:
        case = case_from(each)
        seen.append(plain_observed(await observe(wires[case.device], case)))
    (folder / "observed.json").write_text(json.dumps(seen), encoding="utf-8")
