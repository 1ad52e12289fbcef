"""AttAcc and Duplex: every row of their simulators, and what the tables of claims must not hide."""

from __future__ import annotations

from collections import Counter

import pytest

from accelsim.validation import Report, validate
from accelsim.validation.pim import attacc, duplex, positions
from accelsim.validation.table import Table, read_table

pytestmark = pytest.mark.validation


@pytest.fixture(scope="session")
def memory() -> Report:
    return validate("attacc")


@pytest.fixture(scope="session")
def logic() -> Report:
    return validate("duplex")


def column(table: Table, name: str) -> dict[str, float | str | None]:
    at = table.head.index(name)
    return {str(row[0]): row[at] for row in table.rows}


def test_every_check_passes(memory: Report, logic: Report) -> None:
    assert memory.passed, memory.to_text()
    assert logic.passed, logic.to_text()


def test_every_row_is_checked(memory: Report, logic: Report) -> None:
    rows = {name: len(read_table(duplex.FOLDER / f"{name}.csv")) for name in ("attacc_commands", "attacc_system")}
    groups = Counter((check.group, check.quantity) for check in memory.checks)
    assert groups["commands", "cycles"] == rows["attacc_commands"]
    assert groups["step", "milliseconds"] == groups["step", "energy"] == rows["attacc_system"]
    steps = Counter((check.name, check.quantity) for check in logic.checks)
    assert steps.total() == 2 * len(read_table(duplex.FOLDER / "duplex_decode.csv"))


def test_processors_alone_are_the_same_rule(memory: Report) -> None:
    """Without memory of its own the time is that of the released simulator to a thousandth."""
    alone = [check for check in memory.checks if "/none/" in check.name and check.quantity == "milliseconds"]
    assert len(alone) == 9
    assert max(abs(check.error) for check in alone) < 1e-3


def test_every_claim_has_both_numbers_and_gaps_a_reason(logic: Report) -> None:
    claims = logic.tables[0]
    assert {row["quantity"] for row in read_table(duplex.FOLDER / "published.csv")} == {row[0] for row in claims.rows}
    assert all(isinstance(value, float) for row in claims.rows for value in row[1:4])
    for (_, published, _, corrected, gap), row in zip(
        claims.rows, read_table(duplex.FOLDER / "published.csv"), strict=True
    ):
        assert isinstance(published, float)
        assert isinstance(corrected, float)
        off = abs(corrected / published - 1)
        assert off <= 0.1 or duplex.WHY[row["claim"]] in str(gap)


def test_repaired_rules_are_less_kind_to_memory(memory: Report) -> None:
    (headlines,) = memory.tables
    released, corrected = column(headlines, "as released"), column(headlines, "corrected")
    energy = "energy per token over theirs"
    assert float(released[energy] or 0) < float(corrected[energy] or 0) < 1
    assert column(headlines, "published").keys() == released.keys()


@pytest.mark.parametrize("flops", [1, 2, 4, 8, 16, 32])
def test_the_best_place_is_that_of_the_paper(flops: int) -> None:
    (row,) = (row for row in read_table(positions.FILE) if row["flops_per_byte"] == str(flops))
    ours = positions.products(flops)
    assert positions.best(ours) == min(positions.PLACES, key=lambda place: float(row[place]))
    assert max(ours.values()) == 1


def test_rows_with_other_units_take_other_settings() -> None:
    rows = read_table(attacc.FOLDER / "attacc_system.csv")
    assert {row["units"] for row in rows} == {"none", "cpu", *attacc.LEVELS}
    assert len({attacc.overrides_of(row) for row in rows}) > 8
