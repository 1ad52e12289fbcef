"""Address maps: which part of a burst's number says which channel, rank, bank, row and column it lies in.

A map is an order of fields, `ro ba ra co bg pc ch`, the last changing fastest; or a mapping of fields to sums of digits
of the burst's number `a`: `{co: a % 32, bg: a // 32 % 4, ro: a // 128}`. Either way it comes down to digits, and is
refused unless they cover the number: every burst has a place, and no two the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from accelsim.einsum.ast import Coordinate, IndexExpr, IndexOp, Int
from accelsim.einsum.parse import parse_index
from accelsim.errors import nearest
from accelsim.memory.model import AddressMap, Digit, Integers, Organisation
from accelsim.yamlfile import Node

FIELDS = {
    "ch": "channels",
    "pc": "pseudo_channels",
    "ra": "ranks",
    "bg": "bank_groups",
    "ba": "banks",
    "ro": "rows",
    "co": "bursts",
}
"""A field's name and the part of an organisation that it counts; `co` counts bursts of a row."""
NUMBER = "a"


def sizes_of(organisation: Organisation) -> dict[str, int]:
    """How many values each field has."""
    return {field: getattr(organisation, part) for field, part in FIELDS.items()}


def read_map(node: Node, organisation: Organisation) -> AddressMap:
    """The digits of a map, checked against the sizes of an organisation.

    Raises:
        AccelsimError: an unknown field, an expression that is no sum of digits, a map that does not cover the address.
    """
    sizes = sizes_of(organisation)
    if isinstance(node.value, dict):
        return _from_expressions(node, sizes)
    fields = node.string().split()
    for field in fields:
        if field not in FIELDS:
            raise node.error(f'unknown field "{field}"{nearest(field, FIELDS)}')
        if fields.count(field) > 1:
            raise node.error(f'"{field}" stands twice in "{node.text}"')
    left_out = [field for field, size in sizes.items() if size > 1 and field not in fields]
    if left_out:
        raise node.error(f'does not cover the address: "{node.text}" lacks {", ".join(left_out)}')
    digits, step = [], 1
    for field in reversed(fields):
        digits.append(Digit(field, step, sizes[field], 1))
        step *= sizes[field]
    return tuple(digits)


def _from_expressions(node: Node, sizes: Mapping[str, int]) -> AddressMap:
    entries = node.fields((), tuple(FIELDS))
    total = prod(sizes.values())
    digits: list[Digit] = []
    for field, entry in entries.items():
        own = [_digit(term, field, entry, total) for term in _terms(parse_index(entry), entry)]
        _check_cover([(digit.weight, digit.base) for digit in own], sizes[field], entry, f"values of {field}")
        digits += own
    left_out = [field for field, size in sizes.items() if size > 1 and field not in entries]
    if left_out:
        raise node.error(f"does not cover the address: nothing is said of {', '.join(left_out)}")
    _check_cover([(digit.step, digit.base) for digit in digits], total, node, "bursts")
    return tuple(digits)


def _check_cover(digits: list[tuple[int, int]], total: int, node: Node, what: str) -> None:
    """Digits of (step, base) cover a range when each begins where the ones below it end."""
    reached = 1
    for step, base in sorted(digits):
        if step != reached:
            verb = "overlaps" if step < reached else "leaves out"
            raise node.error(f"does not cover the address: it {verb} what is between {step} and {reached} {what}")
        reached *= base
    if reached != total:
        raise node.error(f"does not cover the address: it counts {reached} {what} of {total}")


def _terms(expr: IndexExpr, node: Node) -> Iterator[tuple[IndexExpr, int]]:
    """The summands of an expression with their factors."""
    match expr:
        case IndexOp("+", left, right):
            yield from _terms(left, node)
            yield from _terms(right, node)
        case IndexOp("*", Int(factor), inner) | IndexOp("*", inner, Int(factor)):
            yield inner, factor
        case _:
            yield expr, 1


def _digit(term: tuple[IndexExpr, int], field: str, node: Node, total: int) -> Digit:
    expr, weight = term
    match expr:
        case IndexOp("%", inner, Int(base)) if base > 0 and (step := _step(inner)):
            return Digit(field, step, base, weight)
        case _ if step := _step(expr):
            return Digit(field, step, max(1, -(-total // step)), weight)
    raise node.error(f'must be a sum of digits such as "{NUMBER} // 32 % 4 * 8", got "{node.text}"')


def _step(expr: IndexExpr) -> int:
    """The divisor in `a // n`, 1 for `a` alone, 0 for anything else."""
    match expr:
        case Coordinate(name) if name == NUMBER:
            return 1
        case IndexOp("//", Coordinate(name), Int(step)) if name == NUMBER and step > 0:
            return step
    return 0


def decode(address_map: AddressMap, bursts: Integers) -> dict[str, Integers]:
    """Every field of every burst's number."""
    found = {field: np.zeros_like(bursts) for field in FIELDS}
    for digit in address_map:
        found[digit.field] += bursts // digit.step % digit.base * digit.weight
    return found


def bank_of(organisation: Organisation, fields: Mapping[str, Integers]) -> Integers:
    """The bank of a channel, as `Requests` counts it."""
    bank = fields["pc"]
    for field, part in (("ra", organisation.ranks), ("bg", organisation.bank_groups), ("ba", organisation.banks)):
        bank = bank * part + fields[field]
    return bank
