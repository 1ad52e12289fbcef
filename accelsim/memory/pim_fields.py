"""What parameters of processing in memory may hold beyond sizes and words: a truth value, lengths, nothing."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.units.fields import Size


@dataclass(frozen=True)
class Flag:
    """True or false."""

    says: str
    kind: str = "true or false"

    def holds(self, value: object) -> bool:
        return isinstance(value, bool)

    def read(self, plain: object) -> object:
        return plain


@dataclass(frozen=True)
class Maybe:
    """A size, or none."""

    size: Size

    @property
    def says(self) -> str:
        return self.size.says

    @property
    def kind(self) -> str:
        return self.size.kind

    def holds(self, value: object) -> bool:
        return value is None or self.size.holds(value)

    def read(self, plain: object) -> object:
        return plain


@dataclass(frozen=True)
class Sizes:
    """A list of sizes, at most `most` of them."""

    says: str
    size: Size
    most: int

    @property
    def kind(self) -> str:
        return f"a list of at most {self.most}, each {self.size.kind}"

    def holds(self, value: object) -> bool:
        return isinstance(value, tuple) and len(value) <= self.most and all(self.size.holds(item) for item in value)

    def read(self, plain: object) -> object:
        return tuple(plain) if isinstance(plain, list) and all(map(self.size.holds, plain)) else plain
