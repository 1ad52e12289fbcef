"""All units by name: their parameters, `accelsim unit` and `accelsim list units`, and what loading them costs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.errors import AccelsimError
from accelsim.units import UNITS, Unit, find_unit
from accelsim.units.catalog import TOPK
from accelsim.units.fields import Size, parameters
from tests.source import ROOT

SMALL: dict[str, dict[str, object]] = {
    "systolic": {"rows": 3, "cols": 4, "dataflow": "ws", "folds": "overlapped", "M": 5, "N": 6, "K": 7},
    "vector": {"lanes": 3, "elements": 10, "task": "reduce", "operators": {"exp": {"depth": 6}}, "operator": "exp"},
    "exp": {"lanes": 3, "elements": 10},
    "softmax": {"tile": 6, "lanes": 2, "keys": 20},
    "divide": {"lanes": 3, "quotients": 20},
    "attention": {"depth": 3, "keys": 20},
    "fuse-array": {"rows": 3, "cols": 4, "E": 5, "F": 2, "tiles": 3},
    "vector-engine": {"lanes": 4, "operation": "SCALE_ADD", "rows": 3, "folds": 2},
    "array-engine": {"rows": 3, "cols": 4, "beats": 5, "folds": 2},
    "gemv": {"lanes": 2, "words": 200, "outputs": 3, "rows": 5, "elements": 7},
    "dma": {"latency": 10, "bytes": 1000, "burst_beats": 7, "outstanding": 2},
    "buffer": {"ports": 3, "banks": 4, "words": 20},
    "roofline": {"flops_per_cycle": 64, "bytes_per_cycle": 8, "rows": 3, "cols": 5, "depth": 7},
    "link": {"width_bytes": 8, "latency": 3, "bytes": 100},
    **{unit.name: {"lanes": 4, "n": 300, "k": 5} for unit in TOPK},
}
UNORDERED = ("stride", "k")  # of a strided access; and all scores are kept without a choice where k is large
EACH = pytest.mark.parametrize("unit", UNITS.values(), ids=lambda unit: unit.name)


def reply(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = main([*words, "--json"])
    text, error = capsys.readouterr()
    assert error == ""
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return status, found


# Units and their parameters.


@EACH
def test_every_parameter_says_what_it_means(unit: Unit) -> None:
    names = [parameter.name for parameter in unit.parameters]
    assert len(names) == len(set(names)), "hardware and job share a name"
    assert all(parameter.rule.says and parameter.rule.kind for parameter in unit.parameters)
    assert all(parameter.rule.holds(parameter.default) for parameter in unit.parameters if not parameter.required)


@EACH
def test_every_timing_function_states_its_source(unit: Unit) -> None:
    written = (
        f"{unit.timing.__doc__} {getattr(sys.modules[unit.timing.__module__], 'fold_timing', unit.timing).__doc__}"
    )
    assert "Source: " in written
    assert "Assumes " in written


@EACH
@given(data=st.data())
def test_a_larger_job_never_takes_less(unit: Unit, data: st.DataObject) -> None:
    sizes = [p.name for p in parameters(unit.shape) if isinstance(p.rule, Size) and p.name not in UNORDERED]
    name = data.draw(st.sampled_from(sizes))
    small = data.draw(st.integers(1, 200))
    larger = data.draw(st.integers(small, 400))
    first, second = (unit.timing(*unit.request({**SMALL[unit.name], name: size})) for size in (small, larger))
    assert first.cycles <= second.cycles
    assert first.busy <= second.busy


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("systolic", {"row": 3}, 'row: is no parameter of systolic; did you mean "rows"?'),
        ("link", {"width_bytes": 1, "latency": 1}, "bytes: must be given (bytes of the message): --set bytes=VALUE"),
        ("buffer", {"ports": 0, "banks": 1, "words": 1}, 'ports: must be an integer from 1 to 65536, got "0"'),
        ("vector", {"operators": {"exp": {"dept": 6}}}, 'operators.exp: has no dept; did you mean "depth"?'),
        (
            "vector",
            {"operators": {"exp": {"depth": -6}}},
            'operators.exp.depth: must be an integer from 0 to 65536, got "-6"',
        ),
        ("vector", {"operators": {1: {}}}, 'operators.1.name: must be a name, got "1"'),
        ("vector", {"operators": [6]}, 'operators: must be a mapping of operators to depth and interval, got "[6]"'),
        ("vector", {"operator": "", "operators": {}}, 'operator: must be a name, got ""'),
    ],
)
def test_requests_that_cannot_be_met(name: str, values: dict[str, object], message: str) -> None:
    needed = {"vector": {"lanes": 1, "elements": 1}}.get(name, {})
    with pytest.raises(AccelsimError) as caught:
        find_unit(name).request({**needed, **values})
    assert str(caught.value) == message


# The command line.


def test_one_unit(capsys: pytest.CaptureFixture[str]) -> None:
    words = "unit systolic --set rows=32 --set cols=32 --set dataflow=ws --set M=100 --set N=70 --set K=33"
    status, found = reply(capsys, *words.split())
    assert status == 0
    assert list(found) == ["schema", "kind", "unit", "cycles", "first", "last", "busy", "params", "report"]
    assert (found["schema"], found["kind"], found["unit"]) == (1, "unit", "systolic")
    assert (found["cycles"], found["last"]) == (1164, 1163)  # the published simulator: 1163
    assert found["params"]["M"] == 100
    assert set(found["params"]) == {parameter.name for parameter in UNITS["systolic"].parameters}


def test_one_unit_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unit", "link", "--set", "width_bytes=8", "--set", "latency=3", "--set", "bytes=100"]) == 0
    assert capsys.readouterr().out == (
        "link: a message in beats\n16 cycles for one job\n"
        "first output at edge 3, last at 15; the next job begins at 13\n"
        "  width_bytes: 8\n  latency: 3\n  bytes: 100\n"
    )


def test_operators_of_their_own_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--set", "operators={exp: {depth: 6, interval: 6}}", "--set", "operator=exp"]
    status, found = reply(capsys, "unit", "vector", "--set", "lanes=4", "--set", "elements=8", *words)
    assert (status, found["cycles"], found["busy"]) == (0, 13, 12)
    assert found["params"]["operators"] == [{"name": "exp", "depth": 6, "interval": 6}]


@pytest.mark.parametrize("unit", TOPK, ids=lambda unit: unit.name)
def test_units_whose_time_depends_on_data(capsys: pytest.CaptureFixture[str], unit: Unit) -> None:
    words = ["--set", "n=256", "--set", "k=100", "--set", "lanes=16", "--set", "overhead=3", "--samples", "300"]
    status, found = reply(capsys, "unit", unit.name, *words)
    assert (status, found["samples"], found["seed"], found["params"]["n"]) == (0, 300, 0, 256)
    assert found["mean"] <= found["p95"] <= found["p99"] <= found["max"] <= found["worst_case"] < found["cycles"]
    assert found["job"]["worst_case"] == found["cycles"]
    assert found["job"]["mean"] == pytest.approx(found["cycles"] - found["worst_case"] + found["mean"])
    assert sum(found["stages"].values()) == pytest.approx(found["job"]["mean"] - 1)  # a register behind FILTER
    assert reply(capsys, "unit", unit.name, *words, "--seed", "0")[1] == found
    assert (found["exact"] is not None) == (unit.name == "quickselect")
    assert found["cost"]["area_um2"] is None
    assert set(found["cost"]["sources"]) == {"compare", "mux", "memory"}


@pytest.mark.parametrize("unit", TOPK, ids=lambda unit: unit.name)
@pytest.mark.parametrize("k", [0, 40, 50])
def test_jobs_without_a_choice(capsys: pytest.CaptureFixture[str], unit: Unit, k: int) -> None:
    """They enter and leave, 8 scores in a cycle, or 10 into a queue: five cycles or four, five, and a register."""
    found = reply(capsys, "unit", unit.name, "--set", "n=40", "--set", f"k={k}", "--set", "lanes=10", "--samples", "3")[
        1
    ]
    assert (found["mean"], found["worst_case"]) == (0, 0)
    enter = 4 if unit.name in ("heap", "priority-queue") else 5
    assert found["job"]["max"] == found["cycles"] == enter + 5 + 1


def test_samples_and_their_law_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unit", "quickselect", "--set", "n=64", "--set", "k=32", "--samples", "50", "--seed", "2"]) == 0
    text = capsys.readouterr().out
    assert " cycles for one job at worst\n" in text
    assert "\n  measured: cycles of SELECT\n  mean: " in text
    assert ", passes 7.14729\n" in text  # 1 + 1/2 + ... + 1/32 twice, and 1/33 - 1


@pytest.mark.parametrize(
    ("words", "message", "place"),
    [
        ("link --samples 3", "samples: link takes the same time whatever its data", "--samples"),
        ("heap --set n=9 --set k=1 --seed x", 'must be a number, got "x"', "--seed"),
        ("heap --set n=9 --set k=1 --seed -1", 'seed: must be at least 0, got "-1"', None),
        ("heap --set n=9 --set k=1 --samples 0", 'samples: must be an integer from 1 to 10000000, got "0"', None),
        ("heap --set n=4194304 --set k=1 --samples 2000", "are more than 268435456 scores", None),
        (
            "quickselect --set n=999 --set k=1 --set score_bits=9",
            "score_bits: 9 hold 512 distinct scores, n is 999: give more bits, or scores=uniform",
            "--set score_bits",
        ),
        ("quickselect --set n=0 --set k=1", 'n: must be an integer from 1 to 4194304, got "0"', "--set n"),
        ("heap --set n=4 --set k=-1", 'k: must be an integer from 0 to 4194304, got "-1"', "--set k"),
    ],
)
def test_samples_that_cannot_be_drawn(
    capsys: pytest.CaptureFixture[str], words: str, message: str, place: str | None
) -> None:
    status, found = reply(capsys, "unit", *words.split())
    assert (status, found["kind"], found["file"]) == (2, "error", place)
    assert message in found["message"]


@pytest.mark.parametrize(
    ("words", "message", "place"),
    [
        ("systolc", 'no unit named "systolc"; did you mean "systolic"?', None),
        ("systolic", "rows: must be given (rows of processing elements): --set rows=VALUE", None),
        ("link --set width_bytes=1.5 --set latency=1 --set bytes=1", 'got "1.5"', "--set width_bytes"),
        ("systolic --set rows", 'must be PATH=VALUE, got "rows"', "--set"),
        ("systolic --set cols=[1", "not YAML", "--set cols"),
        ("link --set width=1", 'width: is no parameter of link; did you mean "width_bytes"?', "--set width"),
    ],
)
def test_errors_have_their_place(
    capsys: pytest.CaptureFixture[str], words: str, message: str, place: str | None
) -> None:
    status, found = reply(capsys, "unit", *words.split())
    assert (status, found["kind"], found["file"]) == (2, "error", place)
    assert message in found["message"]


def test_the_list_of_units(capsys: pytest.CaptureFixture[str]) -> None:
    status, found = reply(capsys, "list", "units")
    assert (status, [entry["name"] for entry in found["units"]]) == (0, [*UNITS, "pim", "pim-gemm"])
    rows = found["units"][0]["parameters"][0]
    assert rows == {
        "name": "rows",
        "type": "an integer from 1 to 65536",
        "required": True,
        "default": None,
        "description": "rows of processing elements",
    }
    assert main(["list", "units"]) == 0
    text = capsys.readouterr().out
    assert "  cols  columns of processing elements (an integer from 1 to 65536; required)\n" in text
    assert "(padded or trimmed; default padded)" in text


def test_units_are_loaded_without_numbers() -> None:
    """Neither numba nor numpy for a timing; numba not even for the module of the kernel."""
    code = "import sys, accelsim.units\nassert not {'numpy', 'numba'} & set(sys.modules)\n"
    code += "import accelsim.units.pe_kernel\nassert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
