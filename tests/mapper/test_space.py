"""How large the space is said to be: by hand where that is possible, and never larger for being narrowed."""

from __future__ import annotations

from accelsim.mapper.limits import Limits
from accelsim.mapper.space import mappings_at_most
from tests.mapper.machines import arch_of, problem_of, workload_of

PLAIN = Limits()


def size(arch: str, workload: str, sizes: dict[str, int], limits: Limits = PLAIN) -> int:
    return mappings_at_most(problem_of(arch_of(arch), workload_of(workload, sizes)), limits)


def test_a_product_on_lanes_is_counted_by_hand() -> None:
    """Rows lie on the lanes. Of 2 none is left to loop over: three tensors, each kept or not.

    Of 10 on 5 lanes there are two steps: streamed, or one tile of 5; then A and C may also be kept in the loop.
    """
    assert size("lanes-only", "matmul", {"M": 2, "N": 1, "K": 1}) == 2 * 2 * 2
    assert size("lanes-only", "matmul", {"M": 10, "N": 1, "K": 1}) == 2 * 2 * 2 + 3 * 2 * 3


def test_groups_multiply_and_add() -> None:
    """Three Einsums on their own, or in groups: never fewer than with fewer in a group."""
    sizes = [size("two-ports", "elementwise", {"M": 4, "N": 3}, Limits(most_fused=most)) for most in (1, 2, 3)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2]


def test_limits_leave_no_more() -> None:
    whole = size("reference", "gemm", {"M": 96})
    narrow = [
        Limits(perfect=True),
        Limits(units={"C": "pe2d"}),
        Limits(dims={"pe2d": {"rows": "reduced", "cols": "shared"}}),
        Limits(stationary={"pe2d": frozenset({1})}),
    ]
    assert all(0 < size("reference", "gemm", {"M": 96}, limits) <= whole for limits in narrow)
    assert any(size("reference", "gemm", {"M": 96}, limits) < whole for limits in narrow)
