"""Resolution: known names only, one reading per line, and recurrences exactly where steps can be taken in order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.einsum.ast import Int, Size
from accelsim.einsum.cascade import Cascade, Split
from accelsim.einsum.graph import strongly_connected
from accelsim.einsum.resolve import Declarations, resolve
from accelsim.einsum.text import render_einsum
from accelsim.errors import AccelsimError
from tests.einsum.language import ONE_PASS, THREE_PASS, TWO_PASS, attention, declared, parsed, resolved, unmarked
from tests.tries import tries

VECTORS = {"A": ("i",), "B": ("i",), "K": ("i", "e"), "S": (), "TI": ("p", "m"), "W": ("i", "j")}


def refused(text: str, declarations: Declarations | None = None) -> str:
    with pytest.raises(AccelsimError) as caught:
        resolve(parsed(text), declarations or declared(VECTORS))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def components(cascade: Cascade) -> list[tuple[str, ...]]:
    return [tuple(cascade.einsums[i].name for i in members) for members in cascade.components]


def reductions(cascade: Cascade) -> dict[str, tuple[str | None, tuple[str, ...]]]:
    return {line.name: (line.reduction, line.reduced) for line in cascade.einsums}


# The forms of attention.


@pytest.mark.parametrize("text", [ONE_PASS, TWO_PASS, THREE_PASS])
def test_a_form_of_attention_means_the_same_with_its_sums_written_out(text: str) -> None:
    cascade = attention(text)
    assert unmarked(attention("\n".join(render_einsum(line) for line in cascade.einsums))) == unmarked(cascade)


@pytest.mark.parametrize("text", [ONE_PASS, TWO_PASS, THREE_PASS])
def test_lines_may_be_written_in_any_order(text: str) -> None:
    backwards = attention("\n".join(reversed(text.strip().split("\n"))))
    assert set(components(backwards)) == set(components(attention(text)))
    assert_in_order(backwards)


@pytest.mark.parametrize("text", [ONE_PASS, TWO_PASS, THREE_PASS])
def test_components_stand_after_what_they_read(text: str) -> None:
    assert_in_order(attention(text))


def assert_in_order(cascade: Cascade) -> None:
    done = set(cascade.inputs)
    for members in cascade.components:
        lines = [cascade.einsums[i] for i in members]
        assert {access.tensor for line in lines for access in line.reads} <= done | {line.tensor for line in lines}
        done |= {line.tensor for line in lines if line.name == line.tensor}


def test_the_one_pass_form() -> None:
    cascade = attention(ONE_PASS)
    iterative = {names: rank for names, rank in zip(components(cascade), cascade.iterative, strict=True) if rank}
    assert iterative == {("RM",): "m1", ("SPD", "RD"): "m1", ("SPNV", "RNV"): "m1"}
    assert cascade.generative == {"RM": "m1", "RD": "m1", "RNV": "m1"}
    assert cascade.tensors["RNV"] == ("b", "h", "f", "m1", "p")
    assert cascade.splits["m1"] == cascade.splits["m0"] == Split("m", ("m1", "m0"), Size("M0"))
    assert {name: how for name, how in reductions(cascade).items() if how[1]} == {
        "QK": ("sum", ("e",)),
        "LM": ("max", ("m0",)),
        "SLD": ("sum", ("m0",)),
        "SLNV": ("sum", ("m0",)),
    }
    start = cascade.einsums[0]
    assert (start.name, start.tensor, start.coordinates) == ("RM@start", "RM", ("b", "h", "p"))
    assert cascade.einsums[3].coordinates == ("b", "h", "m1", "m0", "p", "e")


def test_reads_are_every_tensor_in_the_order_written() -> None:
    inputs = {"TI": ("p", "m"), "K": ("i", "e"), "OK": ("p",), "D": ("p", "e")}
    text = "Z[p,m,e] = K[TI[p,m]*BS,e] where OK[p] == 1 else D[p,e]\nY[TI[p,m],e] = Z[p,m,e]"
    cascade = resolved(text, declared(inputs, {"Y": ("i", "e")}))
    assert [[access.tensor for access in line.reads] for line in cascade.einsums] == [
        ["K", "TI", "OK", "D"],
        ["TI", "Z"],
    ]
    assert cascade.tensors["Y"] == ("i", "e")
    assert [line.reduced for line in cascade.einsums] == [(), ()]


@pytest.mark.parametrize(
    "line",
    [
        "QK[b,h,m,p] = Q[b,h,e,p]*K[b,h,e,m] where m <= p and m > p-W or m < SINK",
        "QK[b,h,m,p] = Q[b,h,e,p] * K[b,h//R,e,m]",
        "QK[b,h,m,p] = Q[b,h,e,p] * K[b,gk(h),e,m]",
        "QK[b,h,m,p] = Q[b,h,e,p] * K[b,h,e,PT[m//PG]*PG + m%PG]",
        "TI[b,h,k,p] = argtopk(Q[b,h,e,p]) over e",
        "QK[b,h,k,p] = Q[b,h,e,p] * K[b,h,e,TI[p,k]*BS+j zero]",
    ],
)
def test_every_kind_of_line_resolves(line: str) -> None:
    inputs = {"Q": ("b", "h", "e", "p"), "K": ("b", "h", "e", "m"), "PT": ("m",)}
    inputs |= {} if line.startswith("TI") else {"TI": ("p", "k")}
    cascade = resolved(
        line.replace("QK[b,h,k,p]", "QK[b,h,k,j,p]"), declared(inputs, ranks={"k": "KK"}, maps={"gk": (0, 1)})
    )
    assert cascade.einsums[0].reduced == ("e",)


# Reductions.


@pytest.mark.parametrize(
    "right",
    [
        "W[i,j]*B[j]",
        "W[i,j]",
        "-W[i,j]*B[j]",
        "W[i,j]*B[j] - W[j,i]",
        "W[i,j]/S",
        "W[i,j]*B[j]/A[i]",
        "W[i,j]*exp(B[j])",
        "W[i,j]*(B[j]+S)",
    ],
)
def test_a_sum_is_implied_for_a_product_and_for_a_sum_of_products_that_carry_all(right: str) -> None:
    assert reductions(resolved(f"Z[i] = {right}", declared(VECTORS)))["Z"] == ("sum", ("j",))


@pytest.mark.parametrize("right", ["W[i,j]*B[j]", "W[i,j]", "-W[i,j]*B[j]", "W[i,j]*B[j] - W[j,i]", "W[i,j]/S"])
def test_a_sum_may_go_over_every_rank(right: str) -> None:
    assert reductions(resolved(f"Z = {right}", declared(VECTORS)))["Z"] == ("sum", ("i", "j"))


@pytest.mark.parametrize(
    ("right", "whole", "apart"),
    [
        ("A[i]+W[i,j]", "sum(A[i]+W[i,j]) over j", "A[i] + (sum(W[i,j]) over j)"),
        ("W[i,j]*B[j]-S", "sum(W[i,j]*B[j]-S) over j", "(sum(W[i,j]*B[j]) over j) - S"),
        ("exp(W[i,j])", "sum(exp(W[i,j])) over j", "exp((sum(W[i,j]) over j))"),
        ("A[i]/B[j]", "sum(A[i]/B[j]) over j", "A[i]/(sum(B[j]) over j)"),
        ("(A[i]<B[j])", "sum((A[i]<B[j])) over j", "(sum((A[i]<B[j])) over j)"),
        ("A[i] where j < i", "sum(A[i]) over j", "A[i]"),
    ],
)
def test_a_sum_with_two_readings_prints_both(right: str, whole: str, apart: str) -> None:
    expected = f'the sum over j has two readings: "{whole}" and "{apart}"; say "over", or use a line for each'
    assert refused(f"Z[i] = {right}") == f"f.yaml:2:3: {expected}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Z = sum(W[i,j]) over j", '"over" names j; the ranks missing on the left are i, j'),
        ("Z[i] = sum(W[i,j]) over j, i", '"over" names j, i; the ranks missing on the left are j'),
        ("Z[i] = sum(W[i,j]) over j, j", '"over" names j, j; the ranks missing on the left are j'),
        ("Z[i] = max(A[i]) over i", '"over" names i; the ranks missing on the left are none'),
        ("Z[i] = sum(W[i,j]) over jj", '"over" names "jj", which is not in the line; did you mean "j"?'),
        ("Z[i] = sum(A[i]) over e", '"over" names "e", which is not in the line'),
        ("Z = argmax(W[i,j]) over i, j", "argmax goes over one rank, got i, j"),
    ],
)
def test_over_names_exactly_the_ranks_missing_on_the_left(line: str, message: str) -> None:
    assert refused(line) == f"f.yaml:2:3: {message}"


# Names.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Z[i] = AA[i]", '2:10: unknown tensor "AA"; did you mean "A"?'),
        ("Z[i] = A[i]*Kk[i]", '2:15: unknown tensor "Kk"; did you mean "K"?'),
        ("Z[i] = A[TII[p,m]]", '2:12: unknown tensor "TII"; did you mean "TI"?'),
        ("Z[i] = A[i] where TII[i,i] == 0", '2:21: unknown tensor "TII"; did you mean "TI"?'),
        ("Z[i] = A[i,i]", "2:10: A is A[i]; got 2 indices"),
        ("Z[i] = S[i]", "2:10: S is S, a scalar; got 1 index"),
        ("Z[i] = W", "2:10: W is W[i,j]; got no indices"),
        ("Z[i] = A[ii]", '2:12: unknown rank "ii"; did you mean "i"?'),
        ("Z[q] = S", '2:5: unknown rank "q"; known: b, e, f, h, i, j, m, p'),
        ("Z[i] = A[i] where q < i", '2:3: unknown rank "q"; known: b, e, f, h, i, j, m, p'),
        ("Z[i] = A[i+SINKS clamp]", '2:12: unknown size "SINKS"; did you mean "SINK"?'),
        ("Z[i] = A[ggk(i)]", '2:12: unknown map "ggk"; did you mean "gk"?'),
        ("Z[i] = expp(A[i])", '2:10: unknown function "expp"; did you mean "exp"?'),
        ("Z[i] = exp(A[i],S)", "2:10: exp takes 1 argument, got 2"),
        ("Z[i] = max(A[i],S,S)", "2:10: max takes 2 arguments, got 3"),
        ("Z[i] = max(A[i])", '2:10: max is a reduction: it must be the outermost call, followed by "over"'),
        ("Z = 1 + sum(A[i],S)", '2:11: sum is a reduction: it must be the outermost call, followed by "over"'),
        ("Z[i] = A[i]\nZ[i] = B[i]", '3:3: "Z" is defined twice; first at f.yaml:2:3'),
        ("A[i] = B[i]", '2:3: "A" is an input and cannot be defined'),
        ("Z[i] = S\nZZ[i] = S", '80:1: output "Y" is never defined; known: Z, ZZ'),
        ("Y[i] = S", "2:3: output Y is declared with [j,i], but written at [i]"),
        ("Y[i,j] = S", "2:3: output Y is declared with [j,i], but written at [i,j]"),
    ],
)
def test_an_error_about_names_says_what_and_where(text: str, message: str) -> None:
    outputs = {"Y": ("j", "i")} if "Y" in message else {}
    assert refused(text, declared(VECTORS, outputs, maps={"gk": (0,)})) == f"f.yaml:{message}"


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ("Z[2*i]", '2:5: an index on the left must be r, r+1, a constant or an index tensor, got "2*i"'),
        ("Z[i+2]", '2:5: an index on the left must be r, r+1, a constant or an index tensor, got "i+2"'),
        ("Z[N]", '2:5: an index on the left must be r, r+1, a constant or an index tensor, got "N"'),
        ("Z[i clamp]", '2:5: "clamp" cannot stand on the left'),
        ("Z[i,i]", '2:3: coordinate "i" stands twice on the left of Z'),
        ("Z[i+1,j+1]", "2:3: Z is written at r+1 along two ranks: i, j"),
        ("Z[0]", '2:3: "Z" is started at a constant, but no line writes it at r+1'),
        ("Z[TI[p,m]]", '2:3: "Z" is scattered into, so its ranks must be declared: make it an output'),
    ],
)
def test_a_left_side_has_plain_indices(left: str, message: str) -> None:
    assert refused(f"{left} = S") == f"f.yaml:{message}"


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("Z[1,p]", "the start of Z must be written Z[0,p], got Z[1,p]"),
        ("Z[i,0]", "the start of Z must be written Z[0,p], got Z[i,0]"),
        ("Z[0]", "the start of Z must be written Z[0,p], got Z[0]"),
    ],
)
def test_a_start_is_written_at_coordinate_zero(start: str, message: str) -> None:
    assert refused(f"{start} = 0\nZ[i+1,p] = Z[i,p] + A[i]") == f"f.yaml:2:3: {message}"


def test_a_recurrence_has_one_start() -> None:
    recurrence = "Z[i+1] = Z[i] + A[i]"
    assert refused(recurrence) == "f.yaml:2:3: Z is never started: Z[0] = .. is missing"
    assert refused(f"Z[0] = 0\nZ[0] = 1\n{recurrence}") == 'f.yaml:3:3: "Z" is defined twice; first at f.yaml:2:3'
    assert components(resolved(f"{recurrence} where i > 0 else 0", declared(VECTORS))) == [("Z",)]


# Declarations.


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ({"k": "upto(SS)"}, '6: unknown parameter "SS"; did you mean "S"?'),
        ({"k": "like q"}, '1: unknown rank "q"; known: b, e, f, h, i, j, k, m, p'),
        ({"m1,m0": "mm by M0"}, '1: unknown rank "mm"; did you mean "m"?'),
        ({"m1,m0": "M"}, '1: ranks m1, m0: expected a split such as "m by M0", got "M"'),
        ({"m2,m1,m0": "m by M0"}, '1: a split has two parts, outer and inner, got "m2,m1,m0"'),
        ({"m1,m0": "m by  M9"}, '7: unknown parameter "M9"; did you mean "M"?'),
        ({"m1,m0": "m by M0 M0"}, '9: found "M0", expected an operator, "(", "[" or the end of the text'),
        ({"k": "b+1"}, '1: a size is made of numbers and parameters (upper case), got "b"'),
        ({"k": "gk(1)"}, "1: a size is made of numbers and parameters only"),
        ({"k": "MM"}, '1: unknown parameter "MM"; did you mean "M"?'),
        ({"K": "M"}, '1: rank "K" must be a lower-case name'),
        ({"over": "M"}, '1: rank "over" is a reserved word'),
        ({"m1,b": "m by M0"}, '1: rank "b" is declared twice'),
        ({"k": "like n", "n": "like k"}, "1: ranks k, n give each other's size"),
        ({"k,n": "o by 2", "o": "like k"}, "1: ranks k, o give each other's size"),
    ],
)
def test_an_error_about_ranks_says_what_and_where(ranks: dict[str, str], message: str) -> None:
    assert refused("Z = S", declared(VECTORS, ranks=ranks)) == f"f.yaml:90:{message}"


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({"S": ("bb",)}, {}, 'S: unknown rank "bb"; did you mean "b"?'),
        ({"over": ("b",)}, {}, '"over" is a reserved word and cannot name a tensor'),
        ({"S": ()}, {"S": ()}, '"S" is both an input and an output'),
    ],
)
def test_declared_tensors_are_checked(
    inputs: dict[str, tuple[str, ...]], outputs: dict[str, tuple[str, ...]], message: str
) -> None:
    assert refused("Z = S", declared(inputs, outputs)) == f"f.yaml:80:1: {message}"


def test_like_leads_to_the_first_of_a_rank() -> None:
    cascade = resolved("Z = S", declared(VECTORS, ranks={"k": "like j", "m1, m0": "m by 4", "n": "like m0"}))
    assert (cascade.like["k"], cascade.like["j"], cascade.like["n"]) == ("i", "i", "m0")
    assert cascade.ranks["k"] == Size("N")
    assert cascade.ranks["n"] is None
    assert cascade.splits["m0"].step == Int(4)


def test_long_chains_of_ranks_are_followed() -> None:
    chain = {f"k{i}": f"like k{i + 1}" for i in range(3000)} | {"k3000": "like i"}
    assert resolved("Z = S", declared(VECTORS, ranks=chain)).like["k0"] == "i"


# Recurrences.

RULE = (
    "a recurrence must follow one rank along which no dependency is later and every circle has one that is earlier "
    "(write at r+1, read at i-1, or guard with j < i)"
)


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("Z[0] = 0\nZ[i+1] = Z[i] + A[i]", "i"),
        ("Z[0] = 0\nZ[i+1] = Z[i clamp] + A[i]", "i"),
        ("Z[0] = 0\nZ[i+1] = Z[i] + Z[0]", "i"),
        ("Z[i] = Z[i-1 zero] + A[i]", "i"),
        ("Z[i] = Z[i-1] + A[i] where i > 0 else A[i]", "i"),
        ("Z[i] = sum(W[i,j]*Z[j]) over j where j < i", "i"),
        ("Z[i] = sum(W[i,j]*Z[j]) over j where i >= j+1", "i"),
        ("Z[i] = sum(W[i,j]*Z[j-1 zero]) over j where j <= i", "i"),
        ("Y[i] = sum(Z[j]) over j where j <= i\nZ[i] = A[i] + Y[i-1 zero]", "i"),
        ("Z[e,i] = Z[e-1 zero,i] + A[i]", "e"),
        ("Z[e,i] = Z[e,i-1 zero]*Z[0,i-2 zero]", "i"),
    ],
)
def test_a_recurrence_follows_one_rank(text: str, rank: str) -> None:
    cascade = resolved(text, declared(VECTORS))
    assert cascade.iterative[-1] == rank
    assert_in_order(cascade)


@pytest.mark.parametrize(
    "text",
    [
        "Z[i] = Z[i] + A[i]",
        "Z[i] = Z[i+1 zero] + A[i]",
        "Z[i] = Z[i-1 wrap] + A[i]",
        "Z[i] = Z[i-1 clamp] + A[i]",
        "Z[i] = Z[N-1] + A[i]",
        "Z[i] = sum(W[i,j]*Z[j]) over j where j <= i",
        "Z[i] = sum(W[i,j]*Z[j]) over j where j < i or j == 2",
        "Z[i] = A[i] where i > 0 and Z[i-1 zero] > Z[i+1 zero]",
        "Z[i] = sum(W[i,j]) over j where j < i else Z[i]",
        "Z[e,i] = Z[e-1 zero,i] + Z[e,i-1 zero]",
        "Z[i] = A[Z[i]]",
        "Z = Z + 1",
    ],
)
def test_any_other_dependence_on_itself_is_refused(text: str) -> None:
    assert refused(text) == f"f.yaml:2:3: Z depends on itself: {RULE}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("X[i] = Y[i]\nY[i] = X[i]", "X, Y"),
        ("X[i] = Y[i-1 zero]\nY[e] = X[e]\n", "X, Y"),
        ("X[i+1] = Y\nX[0] = 0\nY = sum(X[i]) over i", "X, Y"),
        ("X[0] = Y[N]\nX[i+1] = X[i]*A[i]\nY[0] = 0\nY[i+1] = X[N]", "X, Y"),
    ],
)
def test_any_other_circle_is_refused(text: str, names: str) -> None:
    assert refused(text) == f"f.yaml:2:3: {names} depend on each other: {RULE}"


def test_lines_of_a_step_stand_in_an_order_that_can_be_taken() -> None:
    text = "X[i] = Y[i] + V[i]\nY[i] = X[i-1 zero] + V[i]\nV[i] = X[i-2 zero]*A[i]"
    assert components(resolved(text, declared(VECTORS))) == [("V", "Y", "X")]


def test_a_read_at_the_final_coordinate_waits_for_the_whole_sweep() -> None:
    cascade = resolved("Z[0] = 0\nY[i] = Z[N]*A[i]\nZ[i+1] = Z[i] + A[i]", declared(VECTORS))
    assert components(cascade) == [("Z@start",), ("Z",), ("Y",)]


OFFSETS = st.integers(-2, 2)
GUARDS = ("j < i", "j <= i", "i > j+1", "j < i-1 and i > 2", "j == i-1", "j != i", "not j > i", "i < j")


@settings(max_examples=tries(120), deadline=None)
@given(st.sampled_from(GUARDS), OFFSETS, st.booleans(), st.sampled_from(("zero", "clamp", "wrap")))
def test_an_accepted_recurrence_can_be_taken_step_by_step(guard: str, offset: int, generative: bool, edge: str) -> None:
    """Enumerate what each step reads: accepted means that it was all written at an earlier step."""
    start = "Z[0] = 0\n" if generative else ""
    text = f"{start}Z[i{'+1' * generative}] = sum(W[i,j]*Z[j+{offset} {edge}]) over j where {guard}".replace("+-", "-")
    accepted = True
    try:
        resolved(text, declared(VECTORS))
    except AccelsimError:
        accepted = False
    later = [pair for pair in _reads(guard, offset, edge, 6 + generative) if pair[1] - generative >= pair[0]]
    assert not (accepted and later)
    if guard in GUARDS[:5] and edge == "zero":
        assert accepted == (not later)


def _reads(guard: str, offset: int, edge: str, extent: int) -> list[tuple[int, int]]:
    """(step, coordinate that it reads) for all points at which the guard holds."""
    conditions: dict[str, Callable[[int, int], bool]] = {
        "j < i": lambda i, j: j < i,
        "j <= i": lambda i, j: j <= i,
        "i > j+1": lambda i, j: i > j + 1,
        "j < i-1 and i > 2": lambda i, j: j < i - 1 and i > 2,
        "j == i-1": lambda i, j: j == i - 1,
        "j != i": lambda i, j: j != i,
        "not j > i": lambda i, j: j <= i,
        "i < j": lambda i, j: i < j,
    }
    found = [(i, j + offset) for i, j in product(range(6), repeat=2) if conditions[guard](i, j)]
    if edge == "zero":
        return [(i, at) for i, at in found if 0 <= at < extent]
    return [(i, min(max(at, 0), extent - 1) if edge == "clamp" else at % extent) for i, at in found]


# Components against their definition.


@settings(max_examples=tries(150), deadline=None)
@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_components_are_the_classes_of_mutual_reach(graph: tuple[int, set[tuple[int, int]]]) -> None:
    count, edges = graph
    groups = strongly_connected(count, lambda node: sorted(b for a, b in edges if a == node))
    reach = {(a, b) for a, b in edges} | {(a, a) for a in range(count)}
    for middle, a, b in product(range(count), repeat=3):
        if (a, middle) in reach and (middle, b) in reach:
            reach.add((a, b))
    assert sorted(node for group in groups for node in group) == list(range(count))
    place = {node: position for position, group in enumerate(groups) for node in group}
    for a, b in product(range(count), repeat=2):
        assert (place[a] == place[b]) == ((a, b) in reach and (b, a) in reach)
        assert (a, b) not in reach or place[b] <= place[a]


def test_long_chains_of_lines_are_ordered() -> None:
    count = 1500
    text = "\n".join(f"Z{n}[i] = Z{n + 1}[i]" for n in range(count)) + f"\nZ{count}[i] = A[i]"
    assert components(resolved(text, declared(VECTORS)))[0] == (f"Z{count}",)
    circle = text.replace("A[i]", "Z0[i-1 zero]")
    assert resolved(circle, declared(VECTORS)).iterative == ("i",)
