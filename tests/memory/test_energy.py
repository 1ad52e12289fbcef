"""Energy: counts times the table, nothing invented where the table has none."""

from __future__ import annotations

import pytest

from accelsim.memory import Policy, load_device, make_stream, serve_all
from accelsim.memory.energy import energy_of, total


def test_commands_and_time_are_multiplied() -> None:
    """DDR4: 4200 pJ an activation, 2784 a read; 355.2 mW at rest and 144 mW more while a row is open."""
    device = load_device("DDR4", "DDR4_8Gb_x8", "DDR4_3200AA")
    outcome = serve_all(device, Policy(refresh="all-bank"), make_stream("seq_RoBaCoBg", device.organisation, 20_000))
    found = energy_of(device, outcome)
    count = outcome.commands
    assert found["ACT"] == 4200 * count["ACT"]
    assert found["RD"] == 2784 * 20_000
    assert found["REFab"] == 684288 * count["REFab"] > 0
    assert found["static"] == pytest.approx(355.2e-3 * outcome.cycles * 625)
    assert found["open"] == pytest.approx(144e-3 * outcome.open_ticks * 625)
    assert found["REFpb"] == found["WR"] == 0
    assert total(found) == pytest.approx(sum(value for value in found.values() if value is not None))


def test_the_figures_follow_from_the_currents_that_they_name() -> None:
    """Micron TN-40-07 with eight parts: mA times V times ns is pJ."""
    table = load_device("DDR4", "DDR4_8Gb_x8", "DDR4_3200AA").energy
    parts, vdd, rc, ras, burst, rfc = 8, 1.2, 74 * 0.625, 52 * 0.625, 4 * 0.625, 360
    idd0, idd2n, idd3n, idd4r, idd4w, idd5 = 57, 37, 52, 168, 150, 250
    wanted = {
        "ACT": vdd * (idd0 * rc - idd3n * ras - idd2n * (rc - ras)),
        "RD": vdd * (idd4r - idd3n) * burst,
        "WR": vdd * (idd4w - idd3n) * burst,
        "REFab": vdd * (idd5 - idd3n) * rfc,
    }
    for name, value in wanted.items():
        assert float(table.command_pj[name] or 0) == pytest.approx(parts * value)
    assert float(table.open_mw or 0) == pytest.approx(parts * vdd * (idd3n - idd2n))
    assert float(table.static_mw or 0) == pytest.approx(parts * vdd * idd2n)


def test_a_read_of_hbm_is_its_bits_times_the_ladder() -> None:
    """0.44 + 1.01 + 1.23 + 0.5 + 0.3 pJ a bit from the cell to the interposer, 256 bits a burst."""
    table = load_device("HBM3", "HBM3_16Gb_8hi", None).energy
    assert float(table.command_pj["RD"] or 0) == pytest.approx(256 * (0.44 + 1.01 + 1.23 + 0.5 + 0.3), rel=1e-3)


@pytest.mark.parametrize(
    ("standard", "organisation", "unknown"),
    [
        ("HBM3", "HBM3_16Gb_8hi", {"REFab", "open", "static"}),
        ("DDR4", "DDR4_8Gb_x4", {"ACT", "RD", "REFab", "open", "static"}),
        ("GDDR6", "GDDR6_8Gb_x16", {"ACT", "RD", "REFab", "open", "static"}),
    ],
)
def test_what_is_not_known_is_null(standard: str, organisation: str, unknown: set[str]) -> None:
    timing = {"DDR4": "DDR4_3200AA", "GDDR6": "GDDR6_14000_1350mV_double"}.get(standard)
    device = load_device(standard, organisation, timing)
    outcome = serve_all(device, Policy(refresh="all-bank"), make_stream("random", device.organisation, 3000))
    found = energy_of(device, outcome)
    assert {name for name, value in found.items() if value is None} == unknown
    assert (total(found) is None) == ("RD" in unknown)
