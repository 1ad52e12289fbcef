"""What a parameter of a unit means and may hold: said once, beside the field, and checked in one place."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from fractions import Fraction
from functools import lru_cache
from typing import Protocol, get_type_hints

from accelsim.errors import AccelsimError, nearest

LARGEST = 2**31  # a size beyond this is a slip of the pen, and sums of a few of their products fit a float


class Rule(Protocol):
    """What stands beside a field: `says` is its meaning, `kind` what it must be, in words."""

    @property
    def says(self) -> str: ...

    @property
    def kind(self) -> str: ...

    def holds(self, value: object) -> bool: ...

    def read(self, plain: object) -> object:
        """The value that plain data (from YAML) stands for; what is wrong stays as it is, for `holds` to find."""


@dataclass(frozen=True)
class Size:
    """An integer from `low` to `high`."""

    says: str
    low: int = 1
    high: int = LARGEST

    @property
    def kind(self) -> str:
        return f"an integer from {self.low} to {self.high}"

    def holds(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def read(self, plain: object) -> object:
        return plain


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    says: str
    words: tuple[str, ...]

    @property
    def kind(self) -> str:
        return f"{', '.join(self.words[:-1])} or {self.words[-1]}"

    def holds(self, value: object) -> bool:
        return value in self.words

    def read(self, plain: object) -> object:
        return plain


@dataclass(frozen=True)
class Word:
    """Any name."""

    says: str
    kind: str = "a name"

    def holds(self, value: object) -> bool:
        return isinstance(value, str) and value.isidentifier()

    def read(self, plain: object) -> object:
        return plain


@dataclass(frozen=True)
class Parameter:
    """A field of a dataclass of parameters; `default` means nothing where it is `required`."""

    name: str
    rule: Rule
    required: bool
    default: object = None


class Checked:
    """A dataclass whose annotated fields are checked when it is made."""

    def __post_init__(self) -> None:
        for parameter in parameters(type(self)):
            check(parameter, getattr(self, parameter.name))


def parameters(kind: type) -> tuple[Parameter, ...]:
    """The fields of a dataclass of parameters, in order, each with the rule of its annotation."""
    return _parameters(kind)


@lru_cache
def _parameters(kind: type) -> tuple[Parameter, ...]:
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        required = field.default is MISSING
        rule = hints[field.name].__metadata__[0]
        found.append(Parameter(field.name, rule, required, None if required else field.default))
    return tuple(found)


def check(parameter: Parameter, value: object) -> None:
    """Raise AccelsimError, led by the parameter's name, for a value that its rule does not allow."""
    rule = parameter.rule
    if rule.holds(value):
        return
    words = nearest(value, rule.words) if isinstance(rule, Choice) and isinstance(value, str) else ""
    hint = words if "did you mean" in words else ""
    raise AccelsimError(f"{parameter.name}: must be {rule.kind}, got {_shown(value)}{hint}")


def _shown(value: object) -> str:
    text = str(float(value)) if isinstance(value, Fraction) else str(value)
    return "nothing" if value is None else f'"{text[:80]}"'
