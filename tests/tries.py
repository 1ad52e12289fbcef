"""How many examples a property is tried with: as many as it asks for, or a share of them under the profile `few`."""

from __future__ import annotations

from hypothesis import settings

ALL = 100  # the `max_examples` of a profile that leaves everything as it is


def tries(count: int) -> int:
    """The share of `count` that the profile in use has of 100, and at least 1.

    `make check` looks at a few examples of each property, `make test` at all of them.
    """
    return max(1, count * settings().max_examples // ALL)
