"""Passes and live footprints: the published classes of attention, and the definition itself on random cascades."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.einsum.cascade import Cascade, Shapes
from accelsim.einsum.passes import chains, explain_passes, footprints, passes, stages
from accelsim.errors import AccelsimError
from tests.einsum.build import shapes_of
from tests.einsum.language import ONE_PASS, THREE_PASS, TWO_PASS
from tests.tries import tries

QKV = "Q[b,h,e,p] K[b,h,e,m] V[b,h,f,m]"
WHOLE: dict[str, str | int] = {"b": 2, "h": 3, "e": 8, "f": 4, "m": "M", "p": 5}
SPLIT = {**WHOLE, "m1,m0": "m by M0"}
DEFER_FROM_A = """SNV[b,h,f,p] = SN[b,h,m,p] * V[b,h,f,m]
AV[b,h,f,p] = SNV[b,h,f,p] / SD[b,h,p]"""
DEFERRED = THREE_PASS.split("A[b,h,m,p]  =")[0] + DEFER_FROM_A
UNSTABLE = """
QK[b,h,m,p] = Q[b,h,e,p] * K[b,h,e,m]
SN[b,h,m,p] = exp(QK[b,h,m,p])
SD[b,h,p]   = sum(SN[b,h,m,p]) over m
A[b,h,m,p]  = SN[b,h,m,p] / SD[b,h,p]
AV[b,h,f,p] = A[b,h,m,p] * V[b,h,f,m]
"""
TWO_PASS_DEFERRED = (
    TWO_PASS.split("A[b,h,m1,m0,p]")[0]
    + """SNV[b,h,f,p] = SN[b,h,m1,m0,p] * V[b,h,f,m1*M0+m0]
AV[b,h,f,p] = SNV[b,h,f,p] / SD[b,h,p]"""
)


def whole(lines: str) -> Shapes:
    return shapes_of(lines, QKV, WHOLE, {"M": 1000})


def split(lines: str) -> Shapes:
    return shapes_of(lines, QKV, SPLIT, {"M": 1000, "M0": 256})


@pytest.mark.golden
@pytest.mark.parametrize(
    ("shapes", "rank", "chain"),
    [
        (whole(THREE_PASS), "m", ("QK", "SD", "A")),
        (whole(DEFERRED), "m", ("GM", "SN")),
        (whole(UNSTABLE), "m", ("SD", "A")),
        (split(TWO_PASS), "m1", ("QK", "SN")),
        (split(TWO_PASS_DEFERRED), "m1", ("QK", "SN")),
        (split(ONE_PASS), "m1", ("QK",)),
        (split(ONE_PASS), "m0", ("LM", "SLN")),
    ],
)
def test_forms_of_attention_fall_into_their_classes(shapes: Shapes, rank: str, chain: tuple[str, ...]) -> None:
    """FuseMax, MICRO 2024, section III and table I."""
    assert passes(shapes.cascade)[rank] == len(chain)
    assert explain_passes(shapes.cascade, rank) == chain


@pytest.mark.golden
@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ("Y[i] = A[k,i]*B[k,i]\nZ[i] = Y[i]*A[k,i]", 2),  # Cascade 1
        ("Y[i] = A[k,i]*B[k,i]\nX[i] = sum(A[k,i]) over k\nZ[i] = Y[i]*X[i]", 1),  # Cascade 2: the factor moved out
        ("Y[i] = A[k,i]*B[k,i]\nZ[i] = Y[i]*C[k,i]", 1),
        ("Y[i] = A[k,i]*B[k,i]\nX[k,i] = A[k,i]*Y[i]\nZ[i] = X[k,i]*X[k,i]", 2),
    ],
)
def test_a_second_pass_needs_the_same_fiber(lines: str, number: int) -> None:
    assert passes(shapes_of(lines, "A[k,i] B[k,i] C[k,i]", {"k": 4, "i": 3}).cascade)["k"] == number


def test_a_whole_rank_has_the_passes_of_its_outer_part() -> None:
    assert {rank: passes(split(TWO_PASS).cascade)[rank] for rank in ("m", "m1", "m0")} == {"m": 2, "m1": 2, "m0": 3}
    assert {rank: passes(split(ONE_PASS).cascade)[rank] for rank in ("m", "m1", "m0")} == {"m": 1, "m1": 1, "m0": 2}


def test_every_rank_has_a_number_and_ranks_that_nobody_repeats_have_one() -> None:
    found = passes(whole(THREE_PASS).cascade)
    assert found == {"b": 1, "h": 1, "e": 1, "f": 1, "m": 3, "p": 1}
    assert chains(whole(THREE_PASS).cascade)["f"] == ("AV",)


def test_what_must_stay_alive_is_a_whole_fiber() -> None:
    assert footprints(whole(THREE_PASS)) == {"m": {"QK": 1000, "SN": 1000}}
    assert footprints(whole(DEFERRED)) == {"m": {"QK": 1000}}
    assert footprints(whole(UNSTABLE)) == {"m": {"SN": 1000}}
    assert footprints(split(ONE_PASS)) == {"m0": {"QK": 256}}


def test_where_every_pass_reads_its_own_tensor_the_last_one_stays_alive() -> None:
    assert footprints(split(TWO_PASS)) == {"m": {"SLN": 1000}, "m1": {"SLN": 1000}, "m0": {"QK": 256}}


def test_what_is_read_at_a_multiple_has_a_shorter_fiber() -> None:
    lines = "S[i] = A[i]*T[i//4]\nD = sum(S[i]) over i\nN[i] = S[i]*T[i//4]/D"
    assert footprints(shapes_of(lines, "A[i] T[j]", {"i": 10, "j": 3})) == {"i": {"T": 3, "S": 10}}


def test_the_end_of_a_recurrence_completes_a_sweep_and_its_steps_do_not() -> None:
    start = "R[0] = lowest\nR[m+1] = max(R[m], A[m])\n"
    running = shapes_of(f"{start}E[m] = exp(A[m] - R[m+1])", "A[m]", {"m": 6})
    final = shapes_of(f"{start}E[m] = exp(A[m] - R[M])", "A[m]", {"m": 6})
    first = shapes_of(f"{start}E[m] = exp(A[m] - R[0])", "A[m]", {"m": 6})
    assert [passes(shapes.cascade)["m"] for shapes in (running, final, first)] == [1, 2, 1]
    assert explain_passes(final.cascade, "m") == ("R", "E")


def test_an_earlier_step_is_another_fiber() -> None:
    lines = "X[0,i] = A[i]\nD[t] = sum(X[t,i]) over i\nX[t+1,i] = X[t,i]/D[t]\n"
    assert passes(shapes_of(lines, "A[i]", {"t": 5, "i": 6}).cascade)["i"] == 2


def test_ranks_that_are_alike_are_one_rank() -> None:
    lines = "S[i,j] = X[i]*X[j]\nD[i] = sum(S[i,j]) over j\nY[i] = X[i]/D[i]"
    shapes = shapes_of(lines, "X[i]", {"i": 6, "j": "like i"})
    assert passes(shapes.cascade) == {"i": 2, "j": 2}


def test_parts_of_a_part_are_one_fiber_together() -> None:
    lines = """
        X[c,d,m0] = K[(c*2+d)*4+m0]
        S[c,d] = sum(X[c,d,m0]) over m0
        T[c] = sum(S[c,d]) over d
        U = sum(T[c]) over c
        Y[c,d,m0] = X[c,d,m0]/U
    """
    shapes = shapes_of(lines, "K[m]", {"m": 24, "m1,m0": "m by 4", "c,d": "m1 by 2"})
    assert passes(shapes.cascade) == dict.fromkeys(("m", "m1", "m0", "c", "d"), 2)
    assert footprints(shapes)["c"] == {"X": 24}
    assert footprints(shapes)["m0"] == {"X": 4}


def test_lines_are_put_into_the_first_pass_that_they_can_run_in() -> None:
    assert stages(whole(THREE_PASS).cascade, "m") == {"QK": 1, "GM": 1, "SN": 2, "SD": 2, "A": 3, "AV": 3}
    found = stages(split(ONE_PASS).cascade, "m0")
    assert {name for name, stage in found.items() if stage == 1} == {"RM@start", "RD@start", "RNV@start", "QK", "LM"}


def test_an_unknown_rank_is_an_error() -> None:
    with pytest.raises(AccelsimError) as error:
        explain_passes(split(ONE_PASS).cascade, "q")
    assert str(error.value) == 'no rank "q"; known: b, e, f, h, m, m0, m1, p'


# The definition, followed word by word.


@st.composite
def random_cascades(draw: st.DrawFn) -> Cascade:
    lines, wide, narrow = [], ["A[i,k]", "B[i,k]"], ["c[i]"]
    for at in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(("map", "sum", "scalar")))
        if kind == "map":
            lines.append(f"X{at}[i,k] = {draw(st.sampled_from(wide))} + {draw(st.sampled_from(wide + narrow))}")
            wide.append(f"X{at}[i,k]")
        elif kind == "sum":
            lines.append(
                f"X{at}[i] = sum({draw(st.sampled_from(wide))} - {draw(st.sampled_from(wide + narrow))}) over k"
            )
            narrow.append(f"X{at}[i]")
        else:
            lines.append(f"X{at}[i] = {draw(st.sampled_from(narrow))} / {draw(st.sampled_from(narrow))}")
            narrow.append(f"X{at}[i]")
    return shapes_of("\n".join(lines), "A[i,k] B[i,k] c[i]", {"i": 2, "k": 3}).cascade


def passes_by_definition(cascade: Cascade) -> int:
    """The longest chain of lines that read one family, every path between them followed one by one."""
    lines = {line.name: line for line in cascade.einsums}
    reads = {name: {access.tensor for access in line.reads} for name, line in lines.items()}
    wide = {name for name, ranks in cascade.tensors.items() if "k" in ranks}
    family = {name: {name} for name in wide}
    for name in wide & set(lines):
        merged = set().union({name}, *(family[other] for other in reads[name] & wide))
        family |= dict.fromkeys(merged, merged)
    for merged in list(family.values()):
        for name in merged:
            family[name] = family[name] | merged

    def waits(first: str, last: str) -> bool:
        """Whether some path from the first line to the last passes one that reduces, the last left out."""
        pending = [(first, "k" in lines[first].reduced)]
        while pending:
            name, swept = pending.pop()
            for following in (other for other in lines if name in reads[other]):
                if following == last and swept:
                    return True
                pending.append((following, swept or "k" in lines[following].reduced))
        return False

    @cache
    def height(last: str, group: frozenset[str]) -> int:
        earlier = [name for name in lines if reads[name] & group and waits(name, last)]
        return 1 + max((height(name, group) for name in earlier), default=0)

    groups = {frozenset(group) for group in family.values()}
    return max((height(name, group) for group in groups for name in lines if reads[name] & group), default=1)


@given(random_cascades())
@settings(max_examples=tries(150), deadline=None)
def test_passes_are_those_of_the_definition(cascade: Cascade) -> None:
    assert passes(cascade)["k"] == passes_by_definition(cascade)


@given(random_cascades())
@settings(max_examples=tries(60), deadline=None)
def test_chains_explain_the_number_and_rise_through_the_stages(cascade: Cascade) -> None:
    chain, stage = explain_passes(cascade, "k"), stages(cascade, "k")
    assert max(1, len(chain)) == passes(cascade)["k"]
    assert [stage[name] for name in chain] == list(range(1, len(chain) + 1))
    assert max(stage.values()) <= passes(cascade)["k"]
