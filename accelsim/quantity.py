"""Quantities with units, exact: `940 MHz`, `16 MiB`, `62.4 pJ/word`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from accelsim.errors import AccelsimError, Mark, nearest

DECIMAL = {"f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}
# unit -> (scale, dimension); a dimension is a base name, counted units ("word", "row", ...) stand for themselves
BASES = {
    "B": (Fraction(1), "byte"),
    "bit": (Fraction(1, 8), "byte"),
    "s": (Fraction(1), "second"),
    "Hz": (Fraction(1), "hertz"),
    "J": (Fraction(1), "joule"),
    "W": (Fraction(1), "watt"),
    "V": (Fraction(1), "volt"),
}
LENGTHS = {"nm": -9, "um": -6, "µm": -6, "mm": -3, "cm": -2, "m": 0}
COUNTED = ("op", "word", "row", "access", "cycle", "flop", "mac")
KNOWN = (
    *COUNTED,
    *LENGTHS,
    *(prefix + unit for unit in BASES for prefix in DECIMAL if unit not in ("B", "bit") or DECIMAL[prefix] >= 0),
    *(prefix + unit for unit in ("B", "bit") for prefix in BINARY),
)
AMBIGUOUS = {
    "KB": "kB (1000 bytes) or KiB (1024 bytes)",
    "mB": "MB (a million bytes) or MiB (2^20 bytes)",
    "K": "k or Ki before a unit",
    "b": "bit or B",
}
NUMBER = re.compile(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(.*)", re.DOTALL)
UNIT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?\s+)?([A-Za-zµ]+)([23])?\s*")
MAX_LENGTH = 100
LARGEST = 10**40  # beyond any size here, and the product of seven such is still a float


@dataclass(frozen=True)
class Quantity:
    """`value` in base units (byte, second, hertz, joule, metre) with `dimension` as sorted (name, power) pairs."""

    value: Fraction
    dimension: tuple[tuple[str, int], ...]


def parse_number(text: str, mark: Mark | None = None) -> Fraction:
    """The exact value of a decimal number of at most 100 characters, below 1e40 and with an exponent above -41."""
    exponent = re.search(r"[eE]([-+]?[0-9]+)$", text)
    if len(text) <= MAX_LENGTH and (not exponent or abs(int(exponent[1])) <= 40):
        value = Fraction(text)
        if abs(value) < LARGEST:
            return value
    raise AccelsimError(f'number "{_short(text)}" is out of range', mark)


def parse_integer(text: str, mark: Mark | None = None) -> int:
    """The value of an integer as YAML writes it: decimal, `0o17` or `0x1F`; below 1e40."""
    value = LARGEST if len(text) > MAX_LENGTH else int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if abs(value) >= LARGEST:
        raise AccelsimError(f'number "{_short(text)}" is out of range', mark)
    return value


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "..."


def _prefixed(symbol: str, mark: Mark | None, whole: str) -> tuple[Fraction, str]:
    if symbol in COUNTED:
        return Fraction(1), symbol
    if symbol in AMBIGUOUS or re.fullmatch(r"[kKMGT]i?b", symbol):
        hint = AMBIGUOUS.get(symbol, f"{symbol[:-1]}bit or {symbol[:-1]}B")
        raise AccelsimError(f'ambiguous unit "{symbol}" in "{whole}": write {hint}', mark)
    for unit, (scale, dimension) in BASES.items():
        prefix = symbol[: -len(unit)] if symbol.endswith(unit) else None
        if prefix in DECIMAL and (dimension != "byte" or DECIMAL[prefix] >= 0):
            return scale * Fraction(10) ** DECIMAL[prefix], dimension
        if prefix in BINARY and dimension == "byte":
            return scale * 2 ** BINARY[prefix], dimension
    if symbol in LENGTHS:
        return Fraction(10) ** LENGTHS[symbol], "metre"
    raise AccelsimError(f'unknown unit "{symbol}" in "{whole}"{nearest(symbol, KNOWN)}', mark)


def parse_unit(text: str, mark: Mark | None = None) -> Quantity:
    """The scale and dimension of a unit such as `pJ/word`, `GiB/s`, `um2` or `J/64 bit`."""
    if len(text) > MAX_LENGTH:
        raise AccelsimError(f'not a unit: "{_short(text)}"', mark)
    total = Fraction(1)
    powers: dict[str, int] = {}
    for position, part in enumerate(text.split("/")):
        match = UNIT.fullmatch(part.replace("μ", "µ"))
        if not match or (match[1] and not Fraction(match[1].strip())):
            raise AccelsimError(f'not a unit: "{text}"', mark)
        scale, dimension = _prefixed(match[2], mark, text)
        power = int(match[3] or 1) * (1 if position == 0 else -1)
        total *= (scale ** abs(power) * Fraction((match[1] or "1").strip())) ** (1 if power > 0 else -1)
        powers[dimension] = powers.get(dimension, 0) + power
    if powers.get("hertz"):
        powers["second"] = powers.get("second", 0) - powers.pop("hertz")
    if powers.get("watt"):
        watts = powers.pop("watt")
        powers["joule"] = powers.get("joule", 0) + watts
        powers["second"] = powers.get("second", 0) - watts
    return Quantity(total, tuple(sorted((k, v) for k, v in powers.items() if v)))


def parse_quantity(text: str, unit: str, mark: Mark | None = None) -> Fraction:
    """The exact value of `text` expressed in `unit`.

    Args:
        text: number, space, unit; `16 MiB`.
        unit: what the answer is counted in, and so the dimension that `text` must have.

    >>> parse_quantity("16 MiB", "B")
    Fraction(16777216, 1)
    >>> parse_quantity("249.6 pJ/64 bit", "pJ/B")
    Fraction(156, 5)

    Raises:
        AccelsimError: no number, no unit, an unknown or ambiguous unit, another dimension, not finite.
    """
    text = text.strip()
    match = NUMBER.fullmatch(text) if len(text) <= 2 * MAX_LENGTH else None
    if not match:
        raise AccelsimError(f'expected a quantity in {unit}, such as "1 {unit}", got "{_short(text)}"', mark)
    number, rest = match.groups()
    if not rest:
        raise AccelsimError(f'missing unit: expected a quantity in {unit}, got "{text}"', mark)
    if not rest[0].isspace():
        raise AccelsimError(f'missing space between number and unit in "{text}"', mark)
    found, wanted = parse_unit(rest.strip(), mark), parse_unit(unit)
    if found.dimension != wanted.dimension:
        raise AccelsimError(f'expected a quantity in {unit}, got "{text}"', mark)
    return parse_number(number, mark) * found.value / wanted.value
