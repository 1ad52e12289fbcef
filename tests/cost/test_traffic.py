"""Bytes of small groups counted by hand, one rule of SEMANTICS section 3 at a time; all numbers have 2 bytes here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accelsim.cost.analytic import step_cost
from accelsim.errors import AccelsimError
from tests.cost.machines import Sample, case, sample

Moved = dict[str, dict[str, tuple[int, int]]]


def moved(one: Sample, sizes: dict[str, int], mapping: str) -> Moved:
    """Level to tensor to elements (read, written)."""
    plain = replace(one, four_bit=False)
    placement = case(plain, sizes, mapping).placement
    traffic = step_cost(placement).traffic
    return {v: {t: (int(x.read / 2), int(x.write / 2)) for t, x in table.items()} for v, table in traffic.items()}


def product(loops: str, keep: str = "") -> Moved:
    """Bytes of a product of 4 x 6 and 6 x 2, tiles of 2 in m and of 3 in k."""
    text = f"split: {{m: {{m1: rest, m0: 2}}, k: {{k1: rest, k0: 3}}}}\ngroups: [{{loops: [{loops}], einsums: [C]}}]\n"
    return moved(sample("matmul"), {"M": 4, "K": 6, "N": 2}, f"{text}bind: {{grid: [C]}}\nkeep: {{{keep}}}\n")


def chain(groups: str, rest: str = "keep: {}") -> Moved:
    """Bytes of Y = A B, Z = Y D with sizes M = 4, K = 2, N = 3, J = 5, tiles of 2 in m."""
    text = f"split: {{m: {{m1: rest, m0: 2}}}}\ngroups: [{groups}]\nbind: {{grid: [Y], line: [Z]}}\n{rest}\n"
    return moved(sample("chain"), {"M": 4, "K": 2, "N": 3, "J": 5}, text)


def refused(one: str, sizes: dict[str, int], mapping: str) -> str:
    with pytest.raises(AccelsimError) as caught:
        case(sample(one), sizes, mapping).result  # noqa: B018
    return caught.value.message


def test_what_is_not_kept_is_transferred_at_every_iteration() -> None:
    assert product("m1, k1")["dram"] == {
        "C": (8, 16),  # every tile of C twice, its partial results read before the second time
        "A": (24, 0),  # every element in one iteration only
        "B": (24, 0),  # all of B for each of the two m1
    }


def test_what_is_kept_is_filled_when_a_loop_moves_that_indexes_it() -> None:
    found = product("m1, k1, n", "l1: {tensors: {A: {at: k1}, B: {at: m1}}}")
    assert found["dram"] == {"C": (8, 16), "A": (24, 0), "B": (12, 0)}, "no loop at or outside m1 indexes B"
    assert found["l1"] == {"A": (48, 24), "B": (24, 12)}, "filled so often, and read at every iteration"


def test_an_output_is_written_once_when_it_accumulates_at_a_kept_tile() -> None:
    found = product("m1, k1", "l1: {tensors: {C: {at: m1}}}")
    assert found["dram"]["C"] == (0, 8)
    assert found["l1"]["C"] == (8, 16), "an update in each of two k1; the first of each has nothing to read"


def test_a_tile_that_leaves_before_it_is_finished_comes_back_with_its_partial_results() -> None:
    found = product("k1, m1", "l1: {tensors: {C: {at: m1}}}")
    assert found["dram"]["C"] == (8, 16)
    assert found["l1"]["C"] == (8, 24), "16 updates, and 8 partial results that came back"


def test_partial_results_go_one_level_out() -> None:
    found = product("k1, m1", "l2: {tensors: {C: {at: outside}}}, l1: {tensors: {C: {at: m1}}}")
    assert found["dram"]["C"] == (0, 8)
    assert found["l2"]["C"] == (8, 16)
    assert found["l1"]["C"] == (8, 24)


def test_an_input_comes_through_every_level_that_keeps_it() -> None:
    found = product("m1, k1, n", "l2: {tensors: {B: {at: outside}}}, l1: {tensors: {B: {at: k1}}}")
    assert found["dram"]["B"] == (12, 0)
    assert found["l2"]["B"] == (24, 12)
    assert found["l1"]["B"] == (24, 24)


def test_a_fraction_divides_the_off_chip_bytes_only() -> None:
    found = product("m1, k1, n", "l1: {tensors: {B: {at: m1, fraction: 1/4}, C: {at: m1, fraction: 1/4}}}")
    assert found["dram"]["B"] == ((12 + 3 * 24) / 4, 0)
    assert found["dram"]["C"] == (3 * 8 / 4, (8 + 3 * 16) / 4)
    assert (found["l1"]["B"], found["l1"]["C"]) == ((24, 12), (8, 16))


def test_between_groups_a_tensor_goes_through_the_outermost_level() -> None:
    found = chain("{loops: [m1], einsums: [Y]}, {loops: [m1], einsums: [Z]}")
    assert found == {"dram": {"A": (8, 0), "B": (12, 0), "D": (30, 0), "Y": (12, 12), "Z": (0, 20)}}


def test_inside_a_group_it_costs_nothing_outside() -> None:
    assert "Y" not in chain("{loops: [m1], einsums: [Y, Z]}")["dram"], "kept nowhere, it stays in registers"
    found = chain("{loops: [m1], einsums: [Y, Z]}", "keep: {l1: {tensors: {Y: {at: m1}}}}")
    assert "Y" not in found["dram"]
    assert found["l1"]["Y"] == (12, 12)


def test_a_home_makes_it_go_outside_all_the_same() -> None:
    found = chain("{loops: [m1], einsums: [Y, Z]}", "home: {Y: dram}\nkeep: {}")
    assert found["dram"]["Y"] == (12, 12)


def test_a_forwarded_read_is_served_from_registers() -> None:
    found = chain("{loops: [m1], einsums: [Y, Z]}", "forward: [Y -> Z]\nkeep: {l1: {tensors: {Y: {at: m1}}}}")
    assert found["l1"]["Y"] == (0, 12)


def test_the_streamed_part_of_an_intermediate_is_written_and_read_once() -> None:
    found = chain("{loops: [m1], einsums: [Y, Z]}", "keep: {l1: {tensors: {Y: {at: m1, fraction: 1/3}}}}")
    assert found["dram"]["Y"] == (8, 8)
    assert found["l1"]["Y"] == (12, 12)


def stencil(loops: str, keep: str = "") -> Moved:
    """Bytes of Y[i] = A[i] + A[i+1 clamp], Z[i] = Y[i] A[i] over 6 elements in tiles of 3."""
    text = f"split: {{i: {{i1: rest, i0: 3}}}}\ngroups: [{{loops: [{loops}], einsums: [Y, Z]}}]\n"
    return moved(sample("stencil"), {"M": 6}, f"{text}bind: {{line: [Y, Z]}}\nkeep: {{{keep}}}\n")


def test_places_that_are_read_together_are_brought_in_together() -> None:
    """Elements 0 to 3 for the first tile, 3 to 5 for the second: one of them twice, none beyond the end."""
    assert stencil("i1")["dram"]["A"] == (7, 0)
    assert stencil("")["dram"]["A"] == (6, 0)


def test_several_readers_in_the_same_loops_share_a_fill_but_not_the_reads() -> None:
    found = stencil("i1", "l1: {tensors: {A: {at: i1}}}")
    assert found["dram"]["A"] == (7, 0)
    assert found["l1"]["A"] == (7 + 6, 7)


def test_a_reader_outside_the_loop_of_a_tile_is_not_served_by_it() -> None:
    text = (
        "split: {i: {i1: rest, i0: 3}}\ngroups: [{loops: [i1], at: {Y: []}, einsums: [Y, Z]}]\n"
        "bind: {line: [Y, Z]}\nkeep: {l1: {tensors: {A: {at: i1}}}}\n"
    )
    found = moved(sample("stencil"), {"M": 6}, text)
    assert found["l1"]["A"] == (6, 6), "Z only"
    assert found["dram"]["A"] == (6 + 6, 0)


def test_what_a_zero_replaces_is_not_read() -> None:
    text = "groups: [{loops: [s], einsums: [O]}]\nbind: {line: [O]}\n"
    found = {
        name: moved(sample(name), {"M": 5, "S": 3}, text)["dram"]["A"] for name in ("padded", "clamped", "circular")
    }
    assert found == {"padded": (4 + 5 + 4, 0), "clamped": (4 + 5 + 4, 0), "circular": (15, 0)}


def test_a_reduction_over_no_points_is_written_all_the_same_and_what_is_absent_is_not() -> None:
    """X[i,j] has a value at every point, by its `else`; Y[i] none at i = 0, where its guard fails."""
    text = "groups: [{loops: [i], einsums: [X]}, {loops: [i], einsums: [Y]}]\nbind: {line: [X, Y]}\n"
    found = moved(sample("filled-in"), {"M": 3, "K": 3}, text)["dram"]
    assert found["X"] == (6, 9)
    assert found["Y"] == (0, 2)
    assert found["A"] == (6, 0)
    assert "D" not in found, "what follows `else` belongs to absent points, which cost nothing"


def test_no_key_before_a_query_still_gives_an_output() -> None:
    """Keys above the diagonal only: the last query has none, and its sum is written, once."""
    one = replace(
        sample("two-sides"),
        inputs="A: [i, j]",
        outputs="L: [i]",
        lines={"L[i] = sum(A[i,j]) over j where j > i": "add"},
        name="above",
    )
    text = "groups: [{loops: [i, j], einsums: [L]}]\nbind: {line: [L]}\n"
    found = moved(one, {"M": 4, "K": 4}, text)["dram"]
    assert found["A"] == (6, 0)
    assert found["L"] == (6 - 3, 6 + 1)


@pytest.mark.parametrize(
    ("one", "groups", "keep", "text"),
    [
        (
            "chain",
            "{loops: [m, k], at: {Z: [m]}, einsums: [Y, Z]}",
            "Y: {at: k}",
            "keep.l1.tensors.Y: Y is kept at k, but Y and Z reach it in other loops: keep it further out, "
            "or give it a home",
        ),
        (
            "chain",
            "{loops: [k, m], einsums: [Y, Z]}",
            "Y: {at: m}",
            "keep.l1.tensors.Y: Y is kept at m, but it is carried over its sum: keep it further out",
        ),
        (
            "one-pass",
            "{loops: [m1, p], einsums: [QK, LM, RM, SLN, SLD, SLNV, PRM, RD, RNV, AV]}",
            "RM: {at: p}",
            "keep.l1.tensors.RM: RM is kept at p, but it is carried over m1: keep it further out",
        ),
    ],
)
def test_a_tile_that_is_gone_too_early_is_refused(one: str, groups: str, keep: str, text: str) -> None:
    """What is carried over a loop must stay while the loop runs: else bytes and capacity would be too small."""
    names = sample(one).operators
    bind = f"bind: {{line: [{', '.join(names)}]}}"
    mapping = f"groups: [{groups}]\n{bind}\nkeep: {{l1: {{tensors: {{{keep}}}}}}}\n"
    sizes = dict.fromkeys(sample(one).params, 3)
    assert refused(one, sizes, mapping) == text
