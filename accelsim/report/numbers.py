"""Numbers as people read them: SI for time and energy, IEC for capacity, sizes in powers of two."""

from __future__ import annotations

import math
import unicodedata

SI = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
IEC = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def digits(value: float, count: int = 3) -> str:
    """`value` with `count` significant digits, never in scientific form between 1e-4 and 1e6.

    >>> digits(6.7226), digits(0.78), digits(1234.5)
    ('6.72', '0.780', '1234')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{count - 1}e}"
    decimals = max(0, count - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def si(value: float, unit: str, trimmed: bool = False) -> str:
    """A quantity with three digits and an SI prefix, for seconds none above one; `trimmed`: without zeros at the end.

    >>> si(0.0218, "s"), si(123.2e12, "FLOP/s"), si(0, "J")
    ('21.8 ms', '123 TFLOP/s', '0 J')
    >>> si(8.0, "s"), si(8.0, "s", trimmed=True), si(16384.0, "s")
    ('8.00 s', '8 s', '16384 s')
    """
    if value <= 0 or not math.isfinite(value):
        return f"{digits(value)} {unit}"
    power = min(0 if unit == "s" else 18, max(-15, 3 * math.floor(math.log10(value) / 3 + 1e-9)))
    text = digits(value / 10.0**power)
    return f"{_trimmed(text) if trimmed else text} {SI[power]}{unit}"


def _trimmed(text: str) -> str:
    """A number without zeros at its end after the point."""
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def quantity_text(value: float, unit: str) -> str:
    """A number with its unit, prefixed where the unit takes prefixes.

    >>> quantity_text(1208.0, "mm²"), quantity_text(0.5, "s")
    ('1208 mm²', '500 ms')
    """
    return f"{_trimmed(digits(value))} {unit}" if unit in ("mm²", "cycles") else si(value, unit, trimmed=True)


def iec(value: float) -> str:
    """A capacity with a binary prefix.

    >>> iec(16 * 2**20), iec(1000)
    ('16 MiB', '1000 B')
    """
    power = min(len(IEC) - 1, max(0, math.floor(math.log2(value) / 10))) if value > 0 else 0
    return f"{value / 1024**power:.4g} {IEC[power]}"


def size_text(value: float) -> str:
    """A size on an axis: 1K, 256K, 1M for multiples of powers of 1024, digits otherwise.

    >>> size_text(262144), size_text(1 << 20), size_text(500)
    ('256K', '1M', '500')
    """
    for power, letter in ((30, "G"), (20, "M"), (10, "K")):
        if value >= 1 << power and value % (1 << power) == 0:
            return f"{int(value) >> power}{letter}"
    return f"{value:g}"


def plain(text: str) -> str:
    """A text that fonts can draw on one line: other spaces become blanks, what cannot be printed becomes `?`."""
    return "".join(" " if c.isspace() else "?" if unicodedata.category(c)[0] == "C" else c for c in text)
