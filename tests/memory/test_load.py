"""Tables: what they say becomes ticks, and what is wrong with them is refused at its place."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from accelsim.errors import AccelsimError
from accelsim.memory.load import load_device, load_document, read_all
from accelsim.memory.model import Device
from accelsim.shipped import data_dir
from tests.memory.draw import STANDARDS

TEXT = (data_dir("arch_configs/dram") / "HBM3.yaml").read_text(encoding="utf-8")
ORG, TIMING = "HBM3_16Gb_8hi", "HBM3_6400Mbps"


def place(text: str) -> tuple[int, int]:
    """Line and column at which a text first stands in the file."""
    at = TEXT.index(text)
    return TEXT.count("\n", 0, at) + 1, at - TEXT.rfind("\n", 0, at)


def changed(tmp_path: Path, old: str, new: str) -> Path:
    path = tmp_path / "other.yaml"
    assert old in TEXT
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return path


def delays(device: Device, scope: str, before: str, after: str) -> set[int]:
    return {one.ticks for one in device.constraints if one.scope == scope and before in one.after and after in one.next}


@pytest.mark.parametrize("standard", STANDARDS)
def test_every_organisation_loads_with_every_timing(standard: str) -> None:
    devices = read_all(load_document(standard))
    assert devices
    assert all(device.standard == standard for device in devices)


def test_values_become_ticks() -> None:
    """HBM3: a tick is half a clock of 625 ps; 350 ns are 560 clocks; a stack holds 16 GiB."""
    device = load_device("HBM3", ORG, TIMING)
    assert device.tick_ps == Fraction(625, 2)
    assert delays(device, "bank", "ACT", "RD") == {62}
    assert delays(device, "pseudo_channel", "REFab", "ACT") == {1120}
    assert device.commands["ACT"].ticks == 3
    assert device.organisation.bytes == 16 << 30
    assert device.peak_bytes_per_s == pytest.approx(51.2e9)


@pytest.mark.parametrize(("device", "clocks"), [("DDR5_16Gb_x8", 48), ("DDR5_16Gb_x16", 60)])
def test_values_depend_on_the_width_of_a_device(device: str, clocks: int) -> None:
    found = load_device("DDR5", device, "DDR5_4800AN")
    assert [one.ticks for one in found.constraints if one.window == 4] == [clocks]


def test_a_base_is_followed() -> None:
    """14 ns are 23 clocks of 625 ps; what is not said stays as in HBM2."""
    device = load_device("HBM2E", "HBM2E_16Gb", None)
    assert delays(device, "bank", "ACT", "RD") == {23}
    assert device.commands == load_device("HBM2", "HBM2_8Gb", "HBM2_2000Mbps").commands


def test_set_changes_a_value() -> None:
    device = load_device("HBM3", ORG, TIMING, [f"timings.{TIMING}.nRCDRD=20"])
    assert delays(device, "bank", "ACT", "RD") == {40}


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("\nbuses:", "\nbusses:", "buses: [c", 'unknown key "busses"; did you mean "buses"?'),
        ("nRTW: 20,", "", "nRTW}", f'timing parameter "nRTW" is missing from timings.{TIMING}; did you mean "nRTP"?'),
        ("nRTW: 20,", "nRTX: 20,", "nRTW}", 'did you mean "nRTX"?'),
        ("nFAW: 24,", "nFAW: 24, nFAV: 3,", "nPPD: 2", "nothing asks for it"),
        ("nRP: 26", "nRP: -26", "26, nRAS", "not negative"),
        ("nRP: 26", "nRP: 2.5", "26, nRAS", "clocks as an integer"),
        ("nRP: 26", "nRP: {x64: 26}", "26, nRAS", 'nothing is said for devices "x32"; known: x64'),
        ("nRP: 26", "nRP: 26, nRFC: 3", "260 ns", f"nRFC is given by timings.{TIMING} too"),
        (
            "{scope: bank, after: [ACT], next: [PRE]",
            "{scope: bnk, after: [ACT], next: [PRE]",
            "",
            'unknown scope "bnk"',
        ),
        ("next: [WR], delay: nRTW", "next: [WRT], delay: nRTW", "", 'no command "WRT"'),
        ("next: [WR], delay: nRTW", "next: [WRA], delay: nRTW", "", "RD and WR stand for RDA and WRA here"),
        ("delay: nRTW", "delay: nRTW +", "", "expected an index"),
        ("delay: nRTW", "delay: nRTW // 0", "nRTW}", "division by zero"),
        ("nFAW, window: 4", "nFAW, window: 0", "4}", "a positive integer"),
        ("{scope: other_rank, after", "{scope: other_rank, window: 2, after", "", "other ranks are several"),
        ("{scope: pseudo_channel, after: [PREA]", "{scope: rank, after: [PREA]", "", "concern a whole pseudo_channel"),
        ("bus: row, clocks: 1.5", "bus: rov, clocks: 1.5", "row, clocks: 1.5", 'no bus "rov"; did you mean "row"?'),
        ("clocks: 1.5", "clocks: 1.3", "1.5", "no whole number of ticks"),
        ("edge: rising", "edge: falling", "rising}", "must be rising or any"),
        ("ticks_per_clock: 2", "ticks_per_clock: 1", "rising}", "rising edges need ticks_per_clock: 2"),
        ("per_bank: true", "per_bank: false", "true}", "go together"),
        ("interval: nREFI", "interval: nREFI - 6240", "nREFI, per", "it must be more than 0"),
        ("scope: pseudo_channel, interval", "scope: bank, interval", "pseudo_channel, interval", "must be channel"),
        ("columns: 256", "columns: 252", "256,\n", "no whole number of bursts of 8 beats"),
        ("width: 32 bit", "width: 1.5 bit", "32 bit, t", "must be whole bytes"),
        ("rate: 6400", "rate: 5600", "6400 Mbit", "8 beats last 1428.57 ps at 5600 Mbit/s, but 2 clocks"),
        ("clock_period: 625 ps", "clock_period: 0 ps", "625 ps, n", "must be more than 0"),
        ("ro ba ra co bg pc ch #", "ro ba ra co bg pc #", "ro ba ra", "does not cover the address"),
        ("class: published", "class: hearsay", "published\n  org", 'unknown class "hearsay"'),
        ("  RD: 891 pJ", "  RD: 891 nW", "891 pJ # 256", "expected a quantity in pJ"),
        ("organisations: [HBM3_4Gb,", "organisations: [HBM3_5Gb,", "HBM3_4Gb, HBM3_8", 'did you mean "HBM3_4Gb"?'),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, old: str, new: str, where: str, message: str) -> None:
    """`where`: a text of the file at which the error is to point; empty: on the line that was changed."""
    path = changed(tmp_path, old, new)
    with pytest.raises(AccelsimError) as error:
        read_all(load_document(str(path)))
    assert message in str(error.value)
    mark = error.value.mark
    assert mark is not None
    assert mark.source == str(path)
    line, column = place(where or old.strip())
    assert mark.line == line
    if where:
        assert mark.column >= column


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("GDDR", None, None), 'no DRAM standard named "GDDR"; did you mean "GDDR6"?'),
        (("HBM3", None, None), "say which organisation; known: HBM3_16Gb_8hi"),
        (("HBM3", "HBM3_16Gb_8h", None), 'no organisation named "HBM3_16Gb_8h"; did you mean "HBM3_16Gb_8hi"?'),
        (("DDR4", "DDR4_8Gb_x8", None), "say which timing"),
        (("DDR4", "DDR4_8Gb_x8", "DDR4_3200"), 'no timing named "DDR4_3200"; did you mean "DDR4_3200W"?'),
    ],
)
def test_unknown_names(names: tuple[str, str | None, str | None], message: str) -> None:
    with pytest.raises(AccelsimError) as error:
        load_device(*names)
    assert message in str(error.value)
