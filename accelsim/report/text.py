"""Results as plain text for a terminal: the headline first, then what it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

from accelsim.explore import Comparison
from accelsim.result import Result, Transfer

if TYPE_CHECKING:
    from accelsim.whatif import Change, SkiSlope

SCALES = ((12, "T"), (9, "G"), (6, "M"), (3, "k"), (0, ""), (-3, "m"), (-6, "u"), (-9, "n"), (-12, "p"))
BINARY = ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "B"))
MOST_TENSORS = 12
MOST_WAITS = 4
TRANSFERS = "transfers on"
CAUSES = {
    "dependency": "a result of",
    "resource": "its turn on",
    "buffer": "room freed by",
    "window": "an iteration to end on",
    "work": "the last task on",
}
IDLE = {
    "dependency": "waits for the result of",
    "resource": "waits for",
    "buffer": "waits for room in",
    "window": "waits for an iteration to end",
    "end": "nothing left to do",
}
Number = Fraction | int | float


def result_text(result: Result) -> str:
    """Headline, units, parts, traffic, energy and notes of one result; what it does not have is left out."""
    sections = [
        _headline(result),
        _units(result),
        _waits(result),
        _parts(result),
        *_traffic(result),
        _energy(result),
        _notes(result),
    ]
    return "\n\n".join(section for section in sections if section)


def comparison_text(comparison: Comparison) -> str:
    """Architectures as lines: time and energy, and their ratios to the first."""
    ratios = zip(comparison.results, comparison.speedups, comparison.energy_ratios, strict=True)
    lines = [
        (
            *(result.arch, scaled(result.seconds, "s"), times(speedup)),
            *(energy(result.energy_pj), times(ratio), result.bound_by),
            *(
                percent(result.units[unit].utilization) if unit in result.units else "-"
                for unit in _all_units(comparison)
            ),
            binary(result.level_bytes(_outermost(result))),
        )
        for result, speedup, ratio in ratios
    ]
    units = [f"{unit} used" for unit in _all_units(comparison)]
    head = ("", "time", "speed-up", "energy", "of baseline", "bound by", *units, "off-chip bytes")
    first = comparison.results[0]
    return f"{_subject(first.workload, first)}; baseline {first.arch}\n\n{aligned(head, lines)}"


def changes_text(changes: Sequence[Change]) -> str:
    """What every change of a resource does, as a table."""
    lines = [
        (
            *(change.resource, f"x{float(change.factor):g}", times(change.speedup)),
            *(times(change.energy_ratio), times(change.area_ratio), change.note),
        )
        for change in changes
    ]
    return aligned(("resource", "factor", "speed-up", "energy", "area", ""), lines)


def slope_text(slope: SkiSlope) -> str:
    """Off-chip bytes against the size of the buffer, one line for each size at which they fall."""
    falls = [
        point
        for before, point in zip((None, *slope.points), slope.points, strict=False)
        if before is None or point[1] < before[1]
    ]
    lines = [(binary(capacity), binary(moved), mapping) for capacity, moved, mapping in falls]
    table = aligned((f"{slope.level} of at least", "off-chip bytes", "mapping"), lines)
    return f"{table}\ncompulsory: {binary(slope.floor_bytes)}"


def _headline(result: Result) -> str:
    lines = [
        (f"{_subject(result.workload, result)} on {result.arch}", ""),
        ("mapping", f"{result.mapping}, depth {result.depth}"),
        ("time", f"{scaled(result.seconds, 's')}{_cycles(result)}"),
        ("energy", _total_energy(result)),
        ("work", f"{scaled(result.macs, 'MAC')}{_throughput(result)}"),
        ("bound", _bound(result)),
    ]
    return "\n".join(f"{name:<9}{says}".rstrip() if says else name for name, says in lines)


def _subject(name: str, result: Result) -> str:
    return f"{name} ({', '.join(f'{key}={value}' for key, value in result.params.items())})"


def _total_energy(result: Result) -> str:
    if result.energy_by is not None:
        return energy(result.energy_pj)
    return "not known at this depth" if not result.actions else "not known: a component has no energy for an action"


def _cycles(result: Result) -> str:
    if result.cycles is None or result.clock_hz is None:
        return ""
    return f", {result.cycles:,} cycles at {scaled(result.clock_hz, 'Hz')}"


def _throughput(result: Result) -> str:
    return f", {scaled(2 * result.macs / result.seconds, 'flop/s')}" if result.seconds else ""


def _bound(result: Result) -> str:
    """What binds, in words: `pe1d bound: busy 100% of the time`."""
    name = result.bound_by
    if name in result.units and result.cycles_exact and result.units[name].busy_cycles:
        return f"{name} bound: busy {percent(result.units[name].busy_cycles / result.cycles_exact)} of the time"
    waited = sum((part.limits.get(name, Fraction(0)) for part in result.parts), Fraction(0))
    if {name, name.rpartition(".")[0]} & set(result.traffic) and result.seconds:
        return f"{name} bound: moving data {percent(waited / result.seconds)} of the time"
    return f"{name} bound"


def _waits(result: Result) -> str:
    """The critical path, and what each unit waits for while it stands idle."""
    if result.waits is None or not result.cycles_exact:
        return ""
    path = [
        (f"{CAUSES.get(wait.cause, TRANSFERS)} {wait.what}".strip(), percent(wait.cycles / result.cycles_exact))
        for wait in result.waits.path[:MOST_WAITS]
    ]
    idle = [
        (
            f"{name} idle: {IDLE.get(wait.cause, wait.cause)} {wait.what}".strip(),
            percent(wait.cycles / result.cycles_exact),
        )
        for name, waits in result.waits.idle.items()
        for wait in waits[:MOST_WAITS]
        if name in result.units and 1000 * wait.cycles >= result.cycles_exact
    ]
    return aligned(("critical path", "of the time"), [*path, *idle])


def _units(result: Result) -> str:
    if not result.cycles_exact or not any(use.busy_cycles for use in result.units.values()):
        return ""
    lines = [
        (name, whole(use.busy_cycles), percent(use.busy_cycles / result.cycles_exact), percent(use.utilization))
        for name, use in result.units.items()
    ]
    return aligned(("unit", "busy cycles", "of the time", "PEs used"), lines)


def _parts(result: Result) -> str:
    if len(result.parts) < 2 or not result.seconds:
        return ""
    lines = [
        (part.name, scaled(part.seconds, "s"), percent(part.seconds / result.seconds), part.bound_by)
        for part in result.parts
    ]
    return aligned(("part", "time", "share", "bound by"), lines)


def _traffic(result: Result) -> Iterable[str]:
    for level, tensors in result.traffic.items():
        ordered = sorted(tensors.items(), key=lambda item: -item[1].total)
        shown, rest = ordered[:MOST_TENSORS], ordered[MOST_TENSORS:]
        if rest:
            shown.append((f"{len(rest)} others", sum((t for _, t in rest), Transfer(Fraction(0), Fraction(0)))))
        shown.append(("all", sum((t for _, t in ordered), Transfer(Fraction(0), Fraction(0)))))
        yield aligned((level, "read", "written"), [(name, binary(t.read), binary(t.write)) for name, t in shown])


def _energy(result: Result) -> str:
    total = result.energy_pj
    if not total or result.energy_by is None:
        return ""
    ordered = sorted(result.energy_by.items(), key=lambda item: -item[1])
    return aligned(("energy", "", "share"), [(name, energy(value), percent(value / total)) for name, value in ordered])


def _notes(result: Result) -> str:
    return "\n".join(f"note: {note}" for note in result.notes)


def _all_units(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(chain.from_iterable(result.units for result in comparison.results)))


def _outermost(result: Result) -> str:
    return next(iter(result.traffic), "")


def aligned(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table: the first column to the left, a last one of words too, the others to the right.

    >>> print(aligned(("unit", "cycles"), [("a", "10"), ("long", "7")]))
    unit  cycles
    a         10
    long       7
    """
    table = [head, *lines]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    words = {0} | {column for column in range(len(head)) if _is_words(lines, column)}
    return "\n".join(
        "  ".join(
            f"{cell:{'<' if column in words else '>'}{widths[column]}}" for column, cell in enumerate(row)
        ).rstrip()
        for row in table
    )


def _is_words(lines: Sequence[Sequence[str]], column: int) -> bool:
    return not any(character.isdigit() for line in lines for character in line[column].split(" ")[0][:2])


def scaled(value: Number, unit: str) -> str:
    """Four digits and a decimal prefix.

    >>> scaled(Fraction(1, 400), "s")
    '2.5 ms'
    """
    exact = Fraction(value)
    fitting = (scale for scale in SCALES if abs(exact) >= Fraction(10) ** scale[0])
    exponent, prefix = next(fitting, SCALES[-1]) if exact else (0, "")
    return f"{_digits(exact / Fraction(10) ** exponent)} {prefix}{unit}"


def binary(value: Number) -> str:
    """Bytes with a binary prefix.

    >>> binary(3 * 2**19)
    '1.5 MiB'
    """
    exact = Fraction(value)
    exponent, unit = next((scale for scale in BINARY if abs(exact) >= 2 ** scale[0]), BINARY[-1])
    return f"{_digits(exact / 2**exponent)} {unit}"


def energy(value: Number | None) -> str:
    """An energy in pJ with a decimal prefix.

    >>> energy(2_500_000_000)
    '2.5 mJ'
    """
    return "-" if value is None else scaled(Fraction(value) / 10**12, "J")


def _digits(value: Fraction) -> str:
    number = float(value)
    return f"{number:.4g}" if abs(number) < 10_000 else f"{number:,.0f}"


def whole(value: Number) -> str:
    return f"{round(value):,}"


def percent(value: Number) -> str:
    """A share with at most one decimal.

    >>> percent(Fraction(1, 3)), percent(1e-6)
    ('33.3%', '<0.1%')
    """
    if 0 < value < 0.0005:
        return "<0.1%"
    return f"{100 * float(value):.1f}".removesuffix(".0") + "%"


def times(value: Number | None) -> str:
    return "-" if value is None else f"{float(value):.3g}x"
