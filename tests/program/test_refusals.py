"""What depth cycle cannot execute is refused with the Einsum, the loop and the unit."""

from __future__ import annotations

import pytest

from accelsim.errors import AccelsimError
from accelsim.program.lower.program import program_of
from tests.mapping.small import changed

LOOPED = "loops of Y: n is spread over the cols of grid; at depth cycle it cannot loop too"


def test_a_loop_that_is_spread_as_well_is_refused() -> None:
    with pytest.raises(AccelsimError) as caught:
        program_of([changed().placement], "none")
    assert str(caught.value).endswith(LOOPED)


def test_a_rank_that_is_spread_only_runs() -> None:
    program_of([changed("loops: [m1, n]", "loops: [m1]").placement], "some")
