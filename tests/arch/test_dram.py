"""The DRAM behind a level: what is read, and what is refused at its place."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from accelsim.arch import Arch, load_arch
from accelsim.errors import AccelsimError
from accelsim.memory import Policy, load_device
from accelsim.memory.setup import Setup, device_of
from accelsim.simulate import load_named, simulate
from accelsim.whatif import what_if

HEAD = """\
schema: accelsim/arch/1
name: with-dram
description: a test
source: a test
base: edge
set:
  levels.dram.bandwidth: 51.2 GB/s
"""
SAID = {
    "model": "commands",
    "standard": "HBM3",
    "org": "HBM3_8Gb_8hi",
    "timing": "HBM3_6400Mbps",
    "channels": "1",
    "queue": "32",
    "page": "open",
    "refresh": "all-bank",
}


def written(folder: Path, said: dict[str, str], head: str = HEAD) -> str:
    """The path of an architecture whose outermost level says this of its DRAM, from line 8 on."""
    path = folder / "with-dram.yaml"
    lines = "".join(f"    {key}: {value}\n" for key, value in said.items())
    path.write_text(f"{head}  levels.dram.dram:\n{lines}")
    return str(path)


def loaded(folder: Path, **changed: str) -> Arch:
    return load_arch(written(folder, SAID | changed))


def test_the_shipped_one() -> None:
    dram = load_arch("edge-lpddr5").off_chip.dram
    assert dram == Setup(
        "LPDDR5", "LPDDR5_16Gb_x16", "LPDDR5_6400", 4, "ro ba ra co bg pc ch", Policy(refresh="all-bank")
    )
    assert device_of(dram).organisation.bytes == 8 << 30, "four of 16 Gbit"
    assert load_arch("edge").off_chip.dram is None


def test_what_is_said_is_the_device(tmp_path: Path) -> None:
    arch = loaded(tmp_path, queue="16", drain_below="10", address_map="ro co ba bg ra pc ch")
    dram = arch.off_chip.dram
    assert dram is not None
    assert dram.policy == Policy(queue=16, write_queue=16, drain_below=10, refresh="all-bank")
    plain = load_device("HBM3", "HBM3_8Gb_8hi", "HBM3_6400Mbps")
    assert device_of(dram).organisation == replace(plain.organisation, channels=1)
    assert device_of(dram).constraints == plain.constraints
    assert device_of(dram).address_map != plain.address_map


def test_expressions_of_a_map_come_back(tmp_path: Path) -> None:
    """A map by digits is kept as text, and is the same map when it is read again."""
    digits = "{pc: a % 2, co: a // 2 % 32, bg: a // 64 % 4, ra: a // 256 % 2, ba: a // 512 % 4, ro: a // 2048}"
    dram = loaded(tmp_path, address_map=digits).off_chip.dram
    order = loaded(tmp_path, address_map="ro ba ra bg co pc ch").off_chip.dram
    assert dram is not None
    assert order is not None
    assert sorted(map(str, device_of(dram).address_map)) == sorted(
        str(digit) for digit in device_of(order).address_map if digit.field != "ch"
    )


def test_the_bandwidth_is_that_of_the_pins_to_the_last_byte(tmp_path: Path) -> None:
    """416 ps are not quite the 4800 Mbit/s of the data sheet: eight bytes of 16 beats in 3.328 ns."""
    said = {"standard": "DDR5", "org": "DDR5_16Gb_x8", "timing": "DDR5_4800AN", "channels": "2"}
    device = load_device("DDR5", "DDR5_16Gb_x8", "DDR5_4800AN")
    wanted = 2 * Fraction(device.organisation.burst_bytes * 10**12) / (device.burst_ticks * device.tick_ps)
    path = written(tmp_path, SAID | said, HEAD.replace("51.2 GB/s", f"{float(wanted / 10**9):.4g} GB/s"))
    assert load_arch(path).off_chip.bytes_per_s == wanted
    assert wanted == pytest.approx(2 * device.peak_bytes_per_s)


def test_the_bandwidth_alone_is_the_default(tmp_path: Path) -> None:
    """`model: bandwidth` is the same as to say nothing, at every depth."""
    alone = load_arch(written(tmp_path, SAID | {"model": "bandwidth"}))
    assert alone.off_chip.dram is None
    plain = load_arch("edge", ["levels.dram.bandwidth=51.2 GB/s"])
    _, workload, _ = load_named("edge", "attention", ["B=1", "H=1", "E=8", "F=8", "M=64", "P=32"])
    for depth in ("bound", "analytic", "cycle"):
        one, other = (simulate(arch, workload, depth=depth) for arch in (alone, plain))
        assert (one.seconds, one.energy_by, one.traffic) == (other.seconds, other.energy_by, other.traffic)


def test_a_standard_of_ones_own_lies_beside_the_file(tmp_path: Path) -> None:
    head = "schema: accelsim/dram/1\nname: mine\ndescription: d\nsource: s\nbase: HBM3\n"
    (tmp_path / "mine.yaml").write_text(f"{head}set: {{refresh.interval: 2 * nREFI}}\n")
    dram = loaded(tmp_path, standard="./mine.yaml").off_chip.dram
    assert dram is not None
    assert device_of(dram).refresh.interval == 2 * load_device("HBM3", "HBM3_8Gb_8hi", "HBM3_6400Mbps").refresh.interval


REFUSED = {
    "an unknown key": ({"banks": "4"}, '17:5: levels.dram.dram.banks: unknown key "banks"'),
    "an unknown model": ({"model": "rows"}, '9:12: levels.dram.dram.model: unknown model "rows"'),
    "an unknown standard": (
        {"standard": "HBM33"},
        '10:15: levels.dram.dram.standard: no DRAM standard named "HBM33"; did you mean "HBM3"?',
    ),
    "an unknown organisation": (
        {"org": "HBM3_8Gb"},
        '11:10: levels.dram.dram.org: HBM3 has no organisation named "HBM3_8Gb"; did you mean "HBM3_4Gb"?',
    ),
    "an unknown timing": (
        {"timing": "HBM3_5200"},
        '12:13: levels.dram.dram.timing: HBM3 has no timing named "HBM3_5200"; did you mean "HBM3_6400Mbps"?',
    ),
    "no channels": ({"channels": "0"}, '13:15: levels.dram.dram.channels: must be a positive integer, got "0"'),
    "too many channels": ({"channels": "1000"}, '13:15: levels.dram.dram.channels: must be at most 256, got "1000"'),
    "other pins": (
        {"channels": "2"},
        "7:26: levels.dram.bandwidth: 2 channels of 51.2 GB/s move 102.4 GB/s (HBM3_8Gb_8hi, HBM3_6400Mbps), not 51.2",
    ),
    "no queue": ({"queue": "0"}, '14:12: levels.dram.dram.queue: must be an integer from 1 to 4096, got "0"'),
    "an unknown page": ({"page": "ajar"}, '15:11: levels.dram.dram.page: must be open or closed, got "ajar"'),
    "watermarks that cross": (
        {"drain_above": "30", "drain_below": "30"},
        "18:18: levels.dram.dram.drain_below: must be less than drain_above, got 30",
    ),
    "a map with a hole": (
        {"address_map": "ro ba co pc"},
        '17:18: address_map: does not cover the address: "ro ba co pc" lacks ra, bg',
    ),
    "a map of digits with a hole": (
        {"address_map": "{pc: a % 2, co: a // 4 % 32}"},
        "17:18: address_map: does not cover the address: nothing is said of ra, bg, ba, ro",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what: str, tmp_path: Path) -> None:
    changed, message = REFUSED[what]
    with pytest.raises(AccelsimError) as error:
        loaded(tmp_path, **changed)
    assert str(error.value).removeprefix(f"{tmp_path}/with-dram.yaml:").startswith(message)


def test_a_refresh_that_the_standard_lacks(tmp_path: Path) -> None:
    said = {"standard": "DDR4", "org": "DDR4_8Gb_x8", "timing": "DDR4_3200AA", "refresh": "per-bank"}
    with pytest.raises(AccelsimError, match="refresh: DDR4 has no command that refreshes a single bank"):
        load_arch(written(tmp_path, SAID | said))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("  levels.dram.chunk: 64 B\n", "levels.dram.chunk: transfers enter a DRAM whole, one after another: leave it"),
        ("  levels.dram.rtl: {unit: dma-engine}\n", "levels.dram.rtl: its engine moves tiles at the bandwidth alone"),
        ("  levels.dram.capacity: 64 GiB\n", "levels.dram.capacity: the DRAM has 536870912 B, not 64 GiB"),
    ],
)
def test_what_a_level_with_a_dram_cannot_have(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AccelsimError) as error:
        load_arch(written(tmp_path, SAID, HEAD + line))
    assert error.value.message.startswith(message)
    assert error.value.mark is not None
    assert error.value.mark.line == 8


def test_two_bandwidths_and_a_missing_choice_are_refused(tmp_path: Path) -> None:
    both = HEAD.replace("51.2 GB/s", "{read: 51.2 GB/s, write: 51.2 GB/s}")
    with pytest.raises(AccelsimError, match="a DRAM reads and writes over the same pins: give one bandwidth"):
        load_arch(written(tmp_path, SAID, both))
    with pytest.raises(AccelsimError, match="not unlimited"):
        load_arch(written(tmp_path, SAID, HEAD.replace("51.2 GB/s", "unlimited")))
    for key, message in (
        ("org", 'missing key "org": HBM3 has HBM3_4Gb, HBM3_8Gb_8hi'),
        ("queue", 'missing key "queue"'),
    ):
        said = {name: value for name, value in SAID.items() if name != key}
        with pytest.raises(AccelsimError, match=message):
            load_arch(written(tmp_path, said))
    only = {name: value for name, value in SAID.items() if name != "timing"}
    assert load_arch(written(tmp_path, only)).off_chip.dram == loaded(tmp_path).off_chip.dram, "there is one only"


def test_an_inner_level_has_no_dram(tmp_path: Path) -> None:
    text = Path(written(tmp_path, SAID)).read_text().replace("levels.dram.dram", "levels.buffer.dram")
    (tmp_path / "with-dram.yaml").write_text(text)
    with pytest.raises(
        AccelsimError, match=r"levels\.buffer\.dram: only the outermost level, dram, holds whole tensors"
    ):
        load_arch(str(tmp_path / "with-dram.yaml"))


def test_a_dram_is_doubled_by_its_channels() -> None:
    changes = {
        (c.resource, c.factor): c for c in what_if("edge-lpddr5", "attention", ["B=1", "H=1", "M=64", "P=64", "E=8"])
    }
    assert {resource for resource, _ in changes} >= {"dram channels", "clock", "buffer capacity"}
    assert all(change.speedup is not None for change in changes.values())
