"""Groups of names that grow together (union and find)."""

from __future__ import annotations


class Groups:
    """Every name is in one group; joining two names makes their groups one."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def find(self, name: str) -> str:
        """The name that stands for the group."""
        self._above.setdefault(name, name)
        while self._above[name] != name:
            self._above[name] = self._above[self._above[name]]
            name = self._above[name]
        return name

    def join(self, one: str, other: str) -> None:
        self._above[self.find(other)] = self.find(one)

    def groups(self) -> tuple[tuple[str, ...], ...]:
        """All groups, names in the order in which they came."""
        found: dict[str, list[str]] = {}
        for name in self._above:
            found.setdefault(self.find(name), []).append(name)
        return tuple(map(tuple, found.values()))
