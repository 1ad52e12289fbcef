"""The parser: text and value are one another's inverse, every place is exact, every refusal is one line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.einsum.ast import RESERVED, Access, Expr, IndexExpr, IndexOp, Int, Lookup, MapCall, Predicate, Statement
from accelsim.einsum.parse import parse_cascade, parse_index
from accelsim.einsum.syntax import MAX_BRACKETS, MAX_DEPTH, MAX_INDEX_DEPTH, MAX_TEXT
from accelsim.einsum.text import render_einsum, render_expr, render_index, render_predicate
from accelsim.einsum.walk import walk
from accelsim.errors import AccelsimError
from accelsim.yamlfile import Node, load_text
from tests.einsum.language import (
    ONE_PASS,
    THREE_PASS,
    TWO_PASS,
    block,
    expressions,
    field,
    index_expressions,
    parsed,
    predicates,
    statements,
    unmarked,
)
from tests.tries import tries


def refused(node: Node) -> str:
    with pytest.raises(AccelsimError) as caught:
        parse_cascade(node)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def outcome(node: Node) -> str:
    """The text of the refusal, nothing where there is none."""
    try:
        parse_cascade(node)
    except AccelsimError as error:
        return str(error)
    return ""


def one(text: str) -> Statement:
    (line,) = parsed(text)
    return line


# The text of a value parses to the value.


@settings(max_examples=tries(50), deadline=None)
@given(statements())
def test_a_rendered_line_parses_to_the_same_line(line: Statement) -> None:
    assert unmarked(one(render_einsum(line))) == line


@settings(max_examples=tries(60), deadline=None)
@given(expressions())
def test_a_rendered_value_parses_to_the_same_value(expr: Expr) -> None:
    assert unmarked(one(f"Z = {render_expr(expr)}").expr) == expr


@settings(max_examples=tries(60), deadline=None)
@given(index_expressions())
def test_a_rendered_index_parses_to_the_same_index(expr: IndexExpr) -> None:
    text = render_index(expr)
    assert unmarked(parse_index(field(f"e: '{text}'"))) == expr
    assert unmarked(one(f"Z[{text}] = 0").target.indices[0].expr) == expr


@settings(max_examples=tries(60), deadline=None)
@given(predicates())
def test_a_rendered_condition_parses_to_the_same_condition(predicate: Predicate) -> None:
    assert unmarked(one(f"Z = 0 where {render_predicate(predicate)}").where) == predicate


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Z = exp(A - B)", "Z = exp(A-B)"),
        ("Z = (A - B) - C", "Z = A-B-C"),
        ("Z = A - (B - C)", "Z = A-(B-C)"),
        ("Z = A / (B * C)", "Z = A/(B*C)"),
        ("Z = -(A + B) * -C", "Z = -(A+B)*-C"),
        ("Z = (A < B) * inf", "Z = (A<B)*inf"),
        ("Z = 1.50 + .5 + 2e3 + lowest", "Z = 1.5+0.5+2000+lowest"),
        ("Z[a] = A[a - 1 clamp, -a]", "Z[a] = A[a-1 clamp,0-a]"),
        ("Z[a] = A[((a // 2)) % G + gk(a)]", "Z[a] = A[a//2%G+gk(a)]"),
        ("Z[a] = A[TI[p, k]*BS + j, e]", "Z[a] = A[TI[p,k]*BS+j,e]"),
        (
            "Z = max(A[m]) over m where m<=p and m>p-W or m<SINK",
            "Z = max(A[m]) over m where m <= p and m > p-W or m < SINK",
        ),
        ("Z = A where not (a < b or (b)+1 < c) else 0", "Z = A where not (a < b or b+1 < c) else 0"),
    ],
)
def test_text_has_as_few_brackets_as_it_needs(text: str, shown: str) -> None:
    assert render_einsum(one(text)) == shown


def test_a_unary_minus_in_an_index_is_zero_minus() -> None:
    assert parse_index(field("e: -4 * 2")) == IndexOp("*", IndexOp("-", Int(0), Int(4)), Int(2))


def test_an_open_bracket_continues_a_line_and_comments_and_blanks_may_stand_anywhere() -> None:
    text = (
        "\n\n# one\nZ[a,   # first\n   b\n] = sum(\n  A[a,b,c]  # last\n) over c  # end\n\n # two\nY=Z[\na,b]\n# three"
    )
    assert unmarked(parsed(text)) == unmarked(parsed("Z[a,b] = sum(A[a,b,c]) over c\nY = Z[a,b]"))


@pytest.mark.parametrize("text", [ONE_PASS, TWO_PASS, THREE_PASS])
def test_the_forms_of_attention_parse_and_render(text: str) -> None:
    lines = parsed(text)
    assert unmarked(parsed("\n".join(render_einsum(line) for line in lines))) == unmarked(lines)


# Places.


def assert_places(lines: tuple[Statement, ...], file: str) -> None:
    """Every mark points at the first character of what it marks."""
    text = file.split("\n")
    for line in lines:
        for item in walk(line.target, line.expr, line.where, line.otherwise):
            if isinstance(item, Access | Lookup | MapCall):
                name = item.name if isinstance(item, MapCall) else item.tensor
                assert text[item.mark.line - 1][item.mark.column - 1 :].startswith(name)
            if isinstance(item, Access | Lookup):
                for index in item.indices:
                    before = text[index.mark.line - 1][: index.mark.column - 1].rstrip()
                    assert before.endswith(("[", ",")) or not before


@settings(max_examples=tries(25), deadline=None)
@given(
    st.lists(statements(), min_size=1, max_size=2),
    st.integers(1, 6),
    st.lists(st.sampled_from(("", "# note", "# other note")), min_size=4, max_size=4),
)
def test_every_place_in_a_literal_block_is_exact(lines: list[Statement], indent: int, notes: list[str]) -> None:
    text = "\n".join(f"{note}\n{render_einsum(line)}" for line, note in zip(lines, notes, strict=False))
    node = block(text, indent)
    file = "e: |\n" + "".join(" " * indent * bool(row.strip()) + row + "\n" for row in text.strip("\n").split("\n"))
    assert_places(parse_cascade(node), file)


@pytest.mark.parametrize(
    "file", ["e: Z[a] = A[a]*K[TI[a], gk(a)]", "e:    'Z[a] = A[a]*K[TI[a], gk(a)]'", 'e: "Z[a]=A[a]"']
)
def test_places_in_plain_and_quoted_scalars_are_exact(file: str) -> None:
    assert_places(parse_cascade(field(file)), file)


def test_a_block_in_a_nested_mapping_keeps_its_places() -> None:
    file = "a:\n  b: {c: 1}\n  e: |\n\n\n      Z[x] = A[x]\n        + B[y\n      , x]\n".replace(
        "A[x]\n        +", "A[x]+"
    )
    node = load_text(file, "f.yaml").mapping()["a"].mapping()["e"]
    lines = parse_cascade(node)
    assert_places(lines, file)
    assert str(lines[0].mark) == "f.yaml:6:7"


# Refusals.

OUTERMOST = '"over" needs a reduction around the right side (sum, max, min, prod, argmax, argtopk, argsort), got'
REFUSED = {
    "A[b c] = B": 'f.yaml:2:7: found "c", expected an operator, "(", "[", "]", ",", "clamp", "zero" or "wrap"',
    "A[b] = B[b": 'f.yaml:2:11: "[" is never closed',
    "A = (B": 'f.yaml:2:7: "(" is never closed',
    "A = sum(B[b,k) over k": 'f.yaml:2:16: found ")", expected "]", ",", "clamp", "zero" or "wrap"',
    "A = B +": "f.yaml:2:10: found the end of the line, expected a value",
    "A = B over k": f"f.yaml:2:7: {OUTERMOST} none",
    "A = exp(B) over k": f'f.yaml:2:7: {OUTERMOST} "exp"',
    "A = sum(B,C) over k": 'f.yaml:2:7: sum with "over" takes one argument, got 2',
    "A = B where b < 3 or": "f.yaml:2:23: found the end of the line, expected a condition",
    "A = B where b": "f.yaml:2:16: found the end of the line, expected a comparison",
    "A = B where b < 3 < 4": 'f.yaml:2:21: found "<", expected "else", "and", "or" or a new line',
    "A = $": 'f.yaml:2:7: found "$", expected a value',
    "A = B[b clamp wrap]": 'f.yaml:2:17: found "wrap", expected "]" or ","',
    "A = 2x": 'f.yaml:2:8: found "x", expected an operator, "over", "where" or a new line',
    "A B": 'f.yaml:2:5: found "B", expected "[" or "="',
    "= 3": 'f.yaml:2:3: found "=", expected a name',
    "A = B else 3": 'f.yaml:2:9: found "else", expected an operator, "(", "[", "over", "where" or a new line',
    "A = sum(B) over k,": "f.yaml:2:21: found the end of the line, expected a name",
    "A = B]": 'f.yaml:2:8: found "]", expected an operator, "(", "[", "over", "where" or a new line',
    "A = (B < C < D)": 'f.yaml:2:14: found "<", expected ")"',
    "A[] = 1": 'f.yaml:2:5: found "]", expected an index',
    "A = exp()": 'f.yaml:2:11: found ")", expected a value',
    "A = 1e999": 'f.yaml:2:7: number "1e999" is out of range',
    "A = B[1234567890123456789]": 'f.yaml:2:9: integer "1234567890123456..." has 19 digits; at most 18 are read',
    f"{'A' * 65} = 1": 'f.yaml:2:3: name "AAAAAAAAAAAAAAAA..." is 65 characters long; at most 64 are read',
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_a_syntax_error_says_where_what_was_found_and_what_was_expected(text: str, message: str) -> None:
    assert refused(block(text)) == message


@pytest.mark.parametrize("word", RESERVED)
def test_reserved_words_are_no_names(word: str) -> None:
    message = f'"{word}" is a reserved word and cannot stand here'
    assert refused(block(f"{word} = 1")) == f"f.yaml:2:3: {message}"
    assert refused(block(f"A[{word}] = 1")) == f"f.yaml:2:5: {message}"
    assert refused(block(f"A[b] = sum(B) over {word}")) == f"f.yaml:2:22: {message}"


def test_what_is_no_cascade_is_refused() -> None:
    assert refused(field("e: ''")) == 'f.yaml:1:4: e: must be the lines of a cascade, got ""'
    assert refused(block("# nothing")) == 'f.yaml:1:4: e: must be the lines of a cascade, got "# nothing "'
    assert refused(field("e: [1]")) == "f.yaml:1:4: e: must be a text, got a list"
    assert (
        refused(block("A = 1\n" * 20_000)) == f"f.yaml:2:3: the text has 120000 characters; at most {MAX_TEXT} are read"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("null", "f.yaml:1:1: e: must be a size such as 64 or B*L, got nothing"),
        ("true", 'f.yaml:1:4: e: must be a size such as 64 or B*L, got "true"'),
        ("[1]", "f.yaml:1:4: e: must be a size such as 64 or B*L, got a list"),
        ("''", 'f.yaml:1:4: e: must be a size such as 64 or B*L, got ""'),
        ("B*", "f.yaml:1:6: found the end of the text, expected an index"),
        ("1.5", 'f.yaml:1:5: found ".5", expected an operator or the end of the text'),
        ("'B C'", 'f.yaml:1:7: found "C", expected an operator, "(", "[" or the end of the text'),
    ],
)
def test_what_is_no_size_is_refused(text: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        parse_index(field(f"e: {text}"))
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "value"), [("64", 64), ("16e3", 16000), ("0x10", 16)])
def test_a_number_is_a_size(text: str, value: int) -> None:
    assert parse_index(field(f"e: {text}")) == Int(value)


@pytest.mark.parametrize(
    ("opened", "closed"), [("(", ")"), ("exp(", ")"), ("A[", "]"), ("A[gk(", ")]"), ("A[(", ")]"), ("A[TI[", "]]")]
)
def test_deep_brackets_are_refused_before_they_are_followed(opened: str, closed: str) -> None:
    inner = "x" if "[" in opened else "1"
    deep = refused(block("A = " + opened * 5000 + inner + closed * 5000))
    assert deep.endswith(f"brackets nest deeper than {MAX_BRACKETS} levels") or "found" in deep


@pytest.mark.parametrize(
    "text",
    ["A" + "+A" * 5000, "-" * 5000 + "A", "(A<" * 60 + "-A" * 200 + ")" * 60, "A where " + "not " * 5000 + "a < b"],
)
def test_long_chains_are_refused(text: str) -> None:
    assert refused(block(f"Z = {text}")).endswith(f"more than {MAX_DEPTH} operations nest in one line")


@pytest.mark.parametrize(
    "text", ["A[i" + "+i" * 70 + "]", "A[i] where i" + "*2" * 70 + " < 3", "B[" + "TI[" * 40 + "i" + "]" * 41]
)
def test_an_index_nests_less_deep_than_a_line(text: str) -> None:
    assert refused(block(f"Z = {text}")).endswith(f"more than {MAX_INDEX_DEPTH} operations nest in one index")


def test_many_lines_and_long_conditions_are_read() -> None:
    assert len(parsed("A[b] = B[b,c]*C[c]\n" * 2000)) == 2000
    assert one("A[b] = B[b] where " + " or ".join(f"b == {i}" for i in range(2000))).where is not None
    assert one("A = " + "+".join("B" * 150)).expr is not None


@settings(max_examples=tries(150), deadline=None)
@given(
    st.lists(
        st.sampled_from(
            (
                *"[]()=+-*/%<>,.#\n \t1aAZ$é\x85\u2028",
                "//",
                "<=",
                "over ",
                "where ",
                "else ",
                "sum(",
                "A[b]",
                "A = ",
                "not ",
                "1e9",
            )
        ),
        max_size=40,
    )
)
def test_any_text_is_read_or_refused_in_one_line(words: list[str]) -> None:
    text = "".join(words)
    node = Node(text, field("e: |\n  x").mark, text, "e", 2, True)
    message = outcome(node)
    assert not message or message.startswith("f.yaml:")
    assert "\n" not in message


def test_the_parser_is_loaded_when_it_is_needed() -> None:
    modules = "accelsim.einsum.resolve, accelsim.einsum.sizes"
    program = f"import sys, {modules}; sys.exit(bool({{'lark', 'numpy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
