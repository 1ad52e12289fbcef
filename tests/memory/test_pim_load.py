"""The file of a stack with processing in memory: what is refused and where; the probe that runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.errors import AccelsimError
from accelsim.memory.pim import load_document, load_stack, read_stacks
from accelsim.memory.pim_model import DIMENSIONS
from accelsim.memory.pim_run import run_attention
from accelsim.memory.pim_stream import Attention
from accelsim.memory.pim_unit import PIM, PIM_GEMM
from accelsim.shipped import data_dir
from accelsim.units import Unit

TEXT = (data_dir("arch_configs/pim") / "HBM3-PIM.yaml").read_text(encoding="utf-8")
SETTINGS = {"level": "bank", "pairs": 16, "length": 1024, "head_dim": 128, "bytes": 2, "power_limit": "true"}
GIVEN = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]


def test_every_dimension_is_divided_or_walked() -> None:
    for stacks in read_stacks(load_document("HBM3-PIM")).values():
        for stack in stacks:
            level = stack.level
            assert sorted((*level.head_dim, *level.length, *level.walk)) == sorted(DIMENSIONS)
            assert stack.sets * stack.banks_per_command == 2 * 2 * 4 * 4
    sizes = [load_stack("HBM3-PIM", name, "released", power_limit=True) for name in ("bank", "bank-group", "buffer")]
    assert [stack.banks_per_command for stack in sizes] == [64, 16, 2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("walk: [column]", "walk: [bank]", "levels.bank: bank must be in one of head_dim, length, walk, and is in 2"),
        ("head_dim: [bank]", "head_dim: [banks]", 'no dimension "banks"; did you mean "bank"?'),
        (
            "    length: [pseudo_channel]\n    walk: [column,",
            "    length: [pseudo_channel, column]\n    walk: [",
            "through",
        ),
        ("nRCD: 19, ", "", 'timings: missing key "nRCD"'),
        ("nREFI: 5070", "nREFII: 5070", 'timings.nREFII: unknown key "nREFII"; did you mean "nREFI"?'),
        ("nREFI: 5070", "nREFI: 500", "must be more than nRAS + nRP + nRC + nRFC, which are 583 cycles"),
        ("nRFC: 350 ns", "nRFC: 350 V", "350 V"),
        ("clock_period: 769 ps", "clock_period: 0 ps", "clock_period: must be more than 0"),
        ("most: 6, MAC: 6", "most: 5, MAC: 6", "must be at least 6, what one command takes"),
        ("window: 33", "window: 0", "window: must be a positive integer"),
        ("burst: 32 B", "burst: 32", "organisation.burst"),
        ("spacing: {channel: 4", "spacing: {channel: -4", "must be an integer from 0 to"),
        ("moves: {query: [bank]", "moves: {query: [bnk]", 'no dimension "bnk"; did you mean "bank"?'),
        ("compute: {width: 32 B", "compute: {width: 0 B", "levels.bank.compute.width: must be whole bytes, from 1 to"),
        ("    compute: {width: 32 B, cycles: 4}\n", "", 'levels.bank: missing key "compute"'),
        ("read_path: [cell]", "read_path: [cel]", 'levels.bank.read_path: no step "cel"; did you mean "cell"?'),
        ("outside: [interposer]", "outside: [pins]", 'energy.outside: no step "pins"'),
        ("cell: 0.44 pJ/bit", "cell: 0.44 pJ", "energy.steps.cell"),
        ("activate: 909 pJ", "activation: 909 pJ", 'unknown key "activation"; did you mean "activate"?'),
        ("multiply: {2: 0.32 pJ}", "multiply: {two: 0.32 pJ}", 'a key must be bytes of an element, got "two"'),
        (",\n              processor: {burst: 814, ACT: 909}}", "}", 'power.logic: missing key "processor"'),
        (
            "processor: {burst: 814,",
            "processor: {burst: 1814,",
            "logic: bursts of a processor take 1814 tokens",
        ),
        (
            "    queue: null",
            "    queue: 64",
            "levels.bank.queue: a processor reads sets of banks that MACs leave",
        ),
        ("ordinary: [cell", "ordinary: [call", 'energy.ordinary: no step "call"; did you mean "cell"?'),
        ("inputs: stack", "inputs: stacks", "levels.logic.inputs: must be channel or stack"),
        ("row: 16384, ", "", 'organisation: missing key "row"'),
        ("schema: accelsim/pim/1", "schema: accelsim/dram/1", 'must be "accelsim/pim/1"'),
        ("bank: 2,", "bank: 32,", "64 sets of banks to walk through; at most 62 are supported"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    path = tmp_path / "stack.yaml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(AccelsimError) as caught:
        read_stacks(load_document(str(path)))
    assert message in str(caught.value)
    assert caught.value.mark is not None
    assert caught.value.mark.line > 0


@pytest.mark.parametrize("unit", [PIM, PIM_GEMM], ids=lambda unit: unit.name)
def test_every_parameter_says_what_it_means(unit: Unit) -> None:
    names = [parameter.name for parameter in unit.parameters]
    assert len(names) == len(set(names))
    assert all(parameter.rule.says and parameter.rule.kind for parameter in unit.parameters)
    assert all(parameter.rule.holds(parameter.default) for parameter in unit.parameters if not parameter.required)


def test_the_probe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unit", "pim", *GIVEN, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["unit"], found["params"]["rules"]) == ("pim", "released")
    assert found["cycles"] == pytest.approx(1890, rel=0.025)  # the published simulator
    assert main(["unit", "pim", *GIVEN, "--set", "rules=corrected", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cycles"] != found["cycles"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "level=bnk"], 'level: must be bank, bank-group, buffer or logic, got "bnk"; did you mean "bank"?'),
        (["--set", "rules=corected"], 'rules: no rule set named "corected"; did you mean "corrected"?'),
        (["--set", "bytes=3"], "bytes: must divide a burst of 32 bytes, got 3"),
        (["--set", "power_limit=1"], 'power_limit: must be true or false, got "1"'),
        (["--set", "pairs=0"], 'pairs: must be an integer from 1 to 65536, got "0"'),
        (
            ["--set", "length=1000000", "--set", "pairs=48"],
            "length: K and V of the 3 pairs of a channel need 23442 rows of each bank, and there are 16384",
        ),
        (
            ["--set", "lengths=[5, 0]"],
            'lengths: must be a list of at most 1024, each an integer from 1 to 1048576, got "[5, 0]"',
        ),
        (["--set", "lengths=5"], 'each an integer from 1 to 1048576, got "5"'),
        (["--set", "lengths=[a]"], "each an integer from 1 to 1048576, got \"['a']\""),
        (["--set", "lengths=[5, 6]"], "pairs: must not be given beside lengths, got 16"),
        (["--set", "group=0"], 'group: must be an integer from 1 to 1024, got "0"'),
        (
            ["--set", "group=200", "--set", "rules=corrected"],
            "group: a MAC of 200 queries takes 72409 tokens of power; at most 60801 fit",
        ),
        (["--set", "spread=1024"], "spread: must be less than the length of 1024, got 1024"),
        (
            ["--set", "deal=least-loded"],
            'deal: must be in-turn or least-loaded, got "least-loded"; did you mean "least-loaded"?',
        ),
    ],
)
def test_what_the_probe_refuses(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(["unit", "pim", *GIVEN, *words, "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert message in found["message"]
    assert found["file"].startswith("--set")


def test_more_rows_than_a_bank_has_are_refused() -> None:
    """A channel holds 16,384 rows of 1 KiB of 64 banks, which are 2**21 times K and V of 128 elements of 2 byte."""
    stack = load_stack("HBM3-PIM", "bank", "released", power_limit=True)
    assert stack.rows * 64 * 1024 == 2**21 * 2 * 128 * 2
    with pytest.raises(AccelsimError, match="need 16386 rows of each bank, and there are 16384"):
        run_attention(stack, Attention(1, 2**21 + 1, 128, 2))


def test_a_missing_parameter_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unit", "pim", *GIVEN[:-2], "--json"]) == 2
    message = json.loads(capsys.readouterr().out)["message"]
    assert message == "power_limit: must be given (whether power limits MACs and activations): --set power_limit=VALUE"
