"""A second evaluation of cascades for tests: loops over points in plain Python, a dictionary per tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum import ast
from accelsim.einsum.cascade import Einsum, Shapes

Point = dict[str, int]
Elements = dict[tuple[int, ...], float]
LOWEST = -1.7976931348623157e308
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
}


class NotFiniteError(Exception):
    """A result that is no finite number."""


def interpret(shapes: Shapes, inputs: Mapping[str, NDArray[Any]], lowest: float = LOWEST) -> dict[str, Elements]:
    """Every tensor as its elements that exist; an empty maximum is `lowest`."""
    found: dict[str, Elements] = {
        name: {index: float(array[index]) for index in np.ndindex(array.shape)} for name, array in inputs.items()
    }
    cascade = shapes.cascade
    found |= {name: {} for name in cascade.tensors if name not in found}
    for component, along in zip(cascade.components, cascade.iterative, strict=True):
        for step in range(shapes.sizes[along]) if along else [0]:
            for line in component:
                _Line(shapes, cascade.einsums[line], found, lowest).run({along: step} if along else {})
    return found


class _Line:
    def __init__(self, shapes: Shapes, einsum: Einsum, found: dict[str, Elements], lowest: float) -> None:
        self.shapes, self.einsum, self.found, self.lowest = shapes, einsum, found, lowest

    def run(self, fixed: Point) -> None:
        held = self.found[self.einsum.tensor]
        left = [name for name in self.einsum.coordinates if name not in self.einsum.reduced]
        for point in self.points(left, fixed):
            value = self.result(point)
            if value is not None:
                if not math.isfinite(value):
                    raise NotFiniteError
                held[tuple(self.index(i.expr, point) for i in self.einsum.target.indices)] = value

    def points(self, names: list[str], fixed: Point) -> Iterator[Point]:
        ranges = [[fixed[n]] if n in fixed else range(self.shapes.sizes[n]) for n in names]
        for values in product(*ranges):
            yield {**fixed, **dict(zip(names, values, strict=True))}

    def result(self, point: Point) -> float | None:
        """None where the result is absent."""
        reduced, values = set(self.einsum.reduced), dict[int, float]()
        for at, inner in enumerate(self.points(list(self.einsum.reduced), point)):
            failed = [names for names, holds in self.conditions(inner) if not holds]
            if any(not names & reduced for names in failed):
                return self.otherwise(point)
            if not failed:
                values[at] = self.value(self.einsum.expr, inner)
        return self.collapsed(values, point)

    def otherwise(self, point: Point) -> float | None:
        if self.einsum.otherwise is None or not all(holds for _, holds in self.split_ends(point)):
            return None
        if not all(self.exists(access, point) for access in accesses(self.einsum.otherwise)):
            return None
        return self.value(self.einsum.otherwise, point)

    def collapsed(self, values: dict[int, float], point: Point) -> float | None:
        match self.einsum.reduction:
            case None:
                return values[0]
            case "argmax" | "argtopk" | "argsort" as selection:
                sign = 1 if selection == "argsort" else -1
                order = sorted(values, key=lambda at: (sign * values[at], at))
                extra = [n for n in names_in(self.einsum.target) if n not in names_in(self.einsum.expr)]
                rank = point[extra[0]] if selection != "argmax" else 0
                return float(order[rank]) if rank < len(order) else None
            case reduction if not values:
                return {"sum": 0.0, "prod": 1.0, "max": self.lowest, "min": -self.lowest}[reduction]
            case reduction:
                return reduce_all(reduction, list(values.values()))

    def conditions(self, point: Point) -> Iterator[tuple[set[str], bool]]:
        yield from self.split_ends(point)
        where = self.einsum.where
        for part in conjuncts(where) if where else ():
            yield names_in(part), self.holds(part, point)
        for access in accesses(self.einsum.expr):
            yield names_in(access), self.exists(access, point)

    def split_ends(self, point: Point) -> Iterator[tuple[set[str], bool]]:
        for split in set(self.shapes.cascade.splits.values()):
            if all(part in point for part in split.parts):
                outer, inner = (point[part] for part in split.parts)
                whole = outer * self.index(split.step, point) + inner
                yield set(split.parts), whole < self.shapes.sizes[split.parent]

    def exists(self, access: ast.Access | ast.Lookup, point: Point) -> bool:
        at = self.place(access, point)
        return at is None or at in self.found[access.tensor]

    def place(self, access: ast.Access | ast.Lookup, point: Point) -> tuple[int, ...] | None:
        """Where an access reads; None where it reads the 0 outside."""
        at = []
        for index, size in zip(access.indices, self.shapes.shapes[access.tensor], strict=True):
            value = self.index(index.expr, point)
            if index.edge == "zero" and not 0 <= value < size:
                return None
            edges = {"clamp": min(max(value, 0), size - 1), "wrap": value % size}
            at.append(edges.get(index.edge or "", value))
        return tuple(at)

    def read(self, access: ast.Access | ast.Lookup, point: Point) -> float:
        at = self.place(access, point)
        return 0.0 if at is None else self.found[access.tensor].get(at, 0.0)

    def index(self, expr: ast.IndexExpr, point: Point) -> int:
        match expr:
            case ast.Int(value):
                return value
            case ast.Coordinate(name):
                return point[name]
            case ast.Size(name):
                return self.shapes.params.get(name) or self.shapes.sizes[name.lower()]
            case ast.MapCall(name, argument):
                return self.shapes.cascade.maps[name][self.index(argument, point)]
            case ast.Lookup():
                return int(self.read(expr, point))
            case ast.IndexOp(op, first, second):
                return integer(op, self.index(first, point), self.index(second, point))

    def holds(self, predicate: ast.Predicate, point: Point) -> bool:
        match predicate:
            case ast.Test(op, left, right):
                return COMPARE[op](self.index(left, point), self.index(right, point))
            case ast.Not(inner):
                return not self.holds(inner, point)
            case ast.And(parts):
                return all(self.holds(part, point) for part in parts)
            case ast.Or(parts):
                return any(self.holds(part, point) for part in parts)

    def value(self, expr: ast.Expr, point: Point) -> float:
        match expr:
            case ast.Number(value):
                return value
            case ast.Lowest():
                return self.lowest
            case ast.Access():
                return self.read(expr, point)
            case ast.Negate(inner):
                return -self.value(inner, point)
            case ast.Compare(op, left, right):
                return float(COMPARE[op](self.value(left, point), self.value(right, point)))
            case ast.Call(function, arguments):
                values = [self.value(argument, point) for argument in arguments]
                return function_of(function, values)
            case ast.BinaryOp(op, first, second):
                return arithmetic(op, self.value(first, point), self.value(second, point))


def reduce_all(reduction: str, values: list[float]) -> float:
    operators: dict[str, Callable[[list[float]], float]] = {"sum": math.fsum, "prod": math.prod, "max": max, "min": min}
    return operators[reduction](values)


def integer(op: str, left: int, right: int) -> int:
    operators: dict[str, Callable[[int, int], int]] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "//": lambda a, b: a // b,
        "%": lambda a, b: a % b,
    }
    return operators[op](left, right)


def arithmetic(op: str, left: float, right: float) -> float:
    if op == "/":
        return left / right if right else math.nan
    return {"+": left + right, "-": left - right, "*": left * right}[op]


def function_of(name: str, values: list[float]) -> float:
    x = values[0]
    if name in ("max", "min"):
        return max(values) if name == "max" else min(values)
    if name in ("log", "sqrt") and (x < 0 or (x == 0 and name == "log")):
        return math.nan
    if name == "exp" and x > 709:
        return math.inf
    if name == "sigmoid":
        return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
    functions: dict[str, Callable[[float], float]] = {
        "exp": math.exp,
        "log": math.log,
        "sqrt": math.sqrt,
        "abs": abs,
        "relu": lambda v: max(v, 0.0),
        "tanh": math.tanh,
    }
    return functions[name](x)


def conjuncts(predicate: ast.Predicate) -> list[ast.Predicate]:
    if isinstance(predicate, ast.And):
        return [inner for part in predicate.parts for inner in conjuncts(part)]
    return [predicate]


def parts_of(item: Any) -> Iterator[Any]:
    """An item of the language and everything inside it."""
    yield item
    for value in vars(item).values() if hasattr(item, "__dict__") else ():
        for inner in value if isinstance(value, tuple) else (value,):
            if type(inner).__module__ == ast.__name__:
                yield from parts_of(inner)


def accesses(expr: ast.Expr) -> list[ast.Access | ast.Lookup]:
    return [part for part in parts_of(expr) if isinstance(part, ast.Access | ast.Lookup)]


def names_in(item: Any) -> set[str]:
    return {part.name for part in parts_of(item) if isinstance(part, ast.Coordinate)}
