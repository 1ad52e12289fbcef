"""Quantities: exact values, every unit with every prefix, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError, Mark
from accelsim.quantity import (
    BASES,
    BINARY,
    DECIMAL,
    KNOWN,
    LARGEST,
    parse_integer,
    parse_number,
    parse_quantity,
    parse_unit,
)

NUMBERS = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=1).map(int)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("940 MHz", "Hz", Fraction(940_000_000)),
        ("16 MiB", "B", Fraction(16 * 2**20)),
        ("16 MB", "B", Fraction(16_000_000)),
        ("1 kB", "B", Fraction(1000)),
        ("1 KiB", "B", Fraction(1024)),
        ("64 bit", "B", Fraction(8)),
        ("1 Kibit", "B", Fraction(128)),
        ("62.4 pJ/word", "pJ/word", Fraction(624, 10)),
        ("3.9 pJ/bit", "pJ/B", Fraction(312, 10)),
        ("249.6 pJ/64 bit", "pJ/B", Fraction(312, 10)),
        ("400 GB/s", "B/s", Fraction(400 * 10**9)),
        ("1 B/cycle", "bit/cycle", Fraction(8)),
        ("2 mW", "pJ/s", Fraction(2 * 10**9)),
        ("1 W", "J/s", Fraction(1)),
        ("1 GHz", "kHz", Fraction(10**6)),
        ("1 mm2", "um2", Fraction(10**6)),
        ("1 um2", "mm2", Fraction(1, 10**6)),
        ("1 µm", "nm", Fraction(1000)),
        ("1 μm", "nm", Fraction(1000)),
        ("1e-3 s", "us", Fraction(1000)),
        (".5 ns", "ps", Fraction(500)),
        ("+5. V", "mV", Fraction(5000)),
        ("-4 B", "B", Fraction(-4)),
        ("  7\tB  ", "B", Fraction(7)),
        ("0.1 J", "J", Fraction(1, 10)),
    ],
)
def test_value_is_exact(text: str, unit: str, value: Fraction) -> None:
    assert parse_quantity(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("", "B", 'expected a quantity in B, such as "1 B", got ""'),
        ("many B", "B", 'expected a quantity in B, such as "1 B", got "many B"'),
        ("16", "B", 'missing unit: expected a quantity in B, got "16"'),
        ("16MiB", "B", 'missing space between number and unit in "16MiB"'),
        ("1e B", "B", 'missing space between number and unit in "1e B"'),
        ("16 KB", "B", 'ambiguous unit "KB" in "KB": write kB (1000 bytes) or KiB (1024 bytes)'),
        ("16 K", "B", 'ambiguous unit "K" in "K": write k or Ki before a unit'),
        ("16 b", "B", 'ambiguous unit "b" in "b": write bit or B'),
        ("16 Mb", "B", 'ambiguous unit "Mb" in "Mb": write Mbit or MB'),
        ("16 Gb/s", "B/s", 'ambiguous unit "Gb" in "Gb/s": write Gbit or GB'),
        ("16 Mib", "B", 'ambiguous unit "Mib" in "Mib": write Mibit or MiB'),
        ("16 MHZ", "Hz", 'unknown unit "MHZ" in "MHZ"; did you mean "MHz"?'),
        ("16 mB", "B", 'ambiguous unit "mB" in "mB": write MB (a million bytes) or MiB (2^20 bytes)'),
        ("16 ubit", "B", 'unknown unit "ubit" in "ubit"; did you mean "bit"?'),
        ("16 words", "word", 'unknown unit "words" in "words"; did you mean "word"?'),
        ("16 MHz", "B", 'expected a quantity in B, got "16 MHz"'),
        ("16 B/s", "B", 'expected a quantity in B, got "16 B/s"'),
        ("16 mm", "mm2", 'expected a quantity in mm2, got "16 mm"'),
        ("16 B//s", "B/s", 'not a unit: "B//s"'),
        ("16 /s", "Hz", 'not a unit: "/s"'),
        ("16 B s", "B", 'not a unit: "B s"'),
        ("16 J/0 bit", "J/B", 'not a unit: "J/0 bit"'),
        ("16 B4", "B", 'not a unit: "B4"'),
        ("1e41 B", "B", 'number "1e41" is out of range'),
        ("1e-41 B", "B", 'number "1e-41" is out of range'),
        ("1e999999999 B", "B", 'number "1e999999999" is out of range'),
        ("nan B", "B", 'expected a quantity in B, such as "1 B", got "nan B"'),
        ("inf B", "B", 'expected a quantity in B, such as "1 B", got "inf B"'),
        ("1_000 B", "B", 'missing space between number and unit in "1_000 B"'),
        ("٣ B", "B", 'expected a quantity in B, such as "1 B", got "٣ B"'),
    ],
)
def test_refused(text: str, unit: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        parse_quantity(text, unit, Mark("x.yaml", 3, 4))
    assert str(caught.value) == f"x.yaml:3:4: {message}"


@pytest.mark.parametrize("text", ["9" * 10**6 + " B", "1 " + "B/" * 10**6, "1 x" + " " * 10**6 + "y", "1 " + "x" * 150])
def test_long_texts_are_refused_at_once(text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        parse_quantity(text, "B")
    assert len(str(caught.value)) < 200


@given(NUMBERS, st.sampled_from([unit for unit in BASES if unit not in ("B", "bit")]), st.sampled_from(sorted(DECIMAL)))
def test_a_prefix_is_its_power_of_ten(number: int, unit: str, prefix: str) -> None:
    assert parse_quantity(f"{number} {prefix}{unit}", unit) == number * Fraction(10) ** DECIMAL[prefix]


@given(NUMBERS, st.sampled_from(["B", "bit"]), st.sampled_from(sorted(BINARY)))
def test_a_binary_prefix_is_its_power_of_two(number: int, unit: str, prefix: str) -> None:
    assert parse_quantity(f"{number} {prefix}{unit}", unit) == number * 2 ** BINARY[prefix]


@given(NUMBERS, st.sampled_from(KNOWN), st.sampled_from(KNOWN))
def test_conversion_there_and_back(number: int, above: str, below: str) -> None:
    """x u = y v means that y v = x u: the two ways around agree exactly."""
    unit = f"{above}/{below}"
    scale = parse_unit(unit)
    assert parse_quantity(f"{number} {unit}", unit) == number
    assert scale.value * parse_unit(f"{below}/{above}").value == 1
    dimension = tuple((name, -power) for name, power in scale.dimension)
    assert parse_unit(f"{below}/{above}").dimension == dimension


@given(st.fractions(min_value=-(10**12), max_value=10**12).map(lambda x: x.limit_denominator(10**6)))
def test_watts_are_joules_per_second(value: Fraction) -> None:
    text = f"{float(value):.6f}"
    assert parse_quantity(f"{text} W", "J/s") == parse_quantity(f"{text} J/s", "W") == Fraction(text)


@given(st.text(max_size=30), st.sampled_from(["B", "pJ/word", "Hz", "um2"]))
def test_any_text_is_a_value_or_an_error(text: str, unit: str) -> None:
    with suppress(AccelsimError):
        assert abs(parse_quantity(text, unit)) < LARGEST * 10**60


@given(st.decimals(min_value=-(10**20), max_value=10**20, allow_nan=False, places=9))
def test_numbers_are_exact(number: object) -> None:
    assert parse_number(str(number)) == Fraction(str(number))


@pytest.mark.parametrize(
    ("text", "value"), [("007", 7), ("-12", -12), ("0o17", 15), ("0x1F", 31), ("9" * 40, 10**40 - 1)]
)
def test_integers(text: str, value: int) -> None:
    assert parse_integer(text) == value


@pytest.mark.parametrize("text", ["1" + "0" * 40, "9" * 10**6, "0x" + "f" * 40, "-1" + "0" * 40])
def test_integers_out_of_range(text: str) -> None:
    with pytest.raises(AccelsimError, match=r'number ".*" is out of range'):
        parse_integer(text)
