"""The YAML loader: YAML 1.2 values, exact places, and nothing that hangs, recurses, allocates or leaks a traceback."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from accelsim import yamlfile
from accelsim.errors import AccelsimError, Mark
from accelsim.yamlfile import MAX_BYTES, MAX_NODES, Node, Plain, load_file, load_text, load_value, read_text

PARSERS = [yaml.SafeLoader, yamlfile._Parser]


def load(text: str) -> Node:
    return load_text(text, "x.yaml")


def message(text: str) -> str:
    """The one line that loading a text ends with."""
    with pytest.raises(AccelsimError) as caught:
        load(text)
    return str(caught.value)


def message_of(call: Callable[[], object]) -> str:
    with pytest.raises(AccelsimError) as caught:
        call()
    return str(caught.value)


# Values


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16e9", 16_000_000_000),
        ("1.5e3", Fraction(1500)),
        ("0.1", Fraction(1, 10)),
        ("-4", -4),
        ("+4", 4),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e-3", Fraction(1, 1000)),
        (".5", Fraction(1, 2)),
        ("true", True),
        ("False", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("no", "no"),
        ("off", "off"),
        ("Yes", "Yes"),
        ("tRue", "tRue"),
        ("12:30:00", "12:30:00"),
        ("2001-12-14", "2001-12-14"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("0b11", "0b11"),
        ("16 MiB", "16 MiB"),
        ("'16'", "16"),
        ('"true"', "true"),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars_are_yaml_1_2(parser: object, text: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlfile, "_Parser", parser)
    node = load(f"key: {text}").mapping()["key"]
    assert node.value == value
    assert type(node.value) is type(value)


PLAIN: st.SearchStrategy[Plain] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cn", "Cs", "Zl", "Zp"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_json_loads_as_itself(value: Plain) -> None:
    """JSON is YAML 1.2: an independent writer's text comes back as the same data."""
    assert load(json.dumps({"key": value}, ensure_ascii=False)).plain() == {"key": value}


@given(PLAIN)
def test_both_parsers_agree(value: Plain) -> None:
    text = yaml.safe_dump({"key": value}, allow_unicode=True, default_flow_style=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yamlfile, "_Parser", yaml.SafeLoader)
        slow = outcome(text)
    assert outcome(text) == slow


def outcome(text: str) -> object:
    try:
        return load(text)
    except AccelsimError as error:
        return error.mark


@given(st.text(max_size=60))
def test_any_text_is_a_tree_or_an_error(text: str) -> None:
    with suppress(AccelsimError):
        assert isinstance(load(text), Node)


@pytest.mark.parametrize("text", ["", "# nothing", "---", "--- \n...\n", "\ufeff"])
def test_an_empty_document_is_nothing(text: str) -> None:
    assert load(text).value is None


def test_value_of_set() -> None:
    assert load_value("65536").value == 65536
    assert load_value("16 MiB").quantity("B") == 2**24
    assert load_value("[1, 2]").plain() == [1, 2]
    assert load_value(" ").value is None
    assert message_of(lambda: load_value("@x")).startswith("--set:1:1: not YAML: ")


# Places

TEXT = """\
# a comment
name: attention
params: {B: 64, H: null}
list:
  - 1
  - key: "two"
einsums: |

  QK[m,p] = Q[e,p] * K[e,m]   # comment
    SN[m,p] = exp(QK[m,p])
folded: >
  text
nothing:
"""


def test_every_value_has_its_line_and_column() -> None:
    root = load(TEXT).mapping()
    params, items = root["params"].mapping(), root["list"].sequence()
    places = [root["name"], params["B"], params["H"], items[0], items[1], items[1].mapping()["key"], root["nothing"]]
    assert [(n.mark.line, n.mark.column) for n in places] == [
        (2, 7),
        (3, 13),
        (3, 17),
        (5, 5),
        (6, 5),
        (6, 10),
        (13, 1),
    ]
    assert [n.path for n in places] == ["name", "params.B", "params.H", "list[0]", "list[1]", "list[1].key", "nothing"]


def test_every_entry_has_the_place_of_its_key() -> None:
    root = load(TEXT).mapping()
    assert [n.key_mark for n in (root["name"], root["einsums"])] == [Mark("x.yaml", 2, 1), Mark("x.yaml", 7, 1)]
    assert root["params"].mapping()["H"].key_mark == Mark("x.yaml", 3, 17)
    assert root["list"].sequence()[0].key_mark is None


def test_a_null_is_where_its_key_is() -> None:
    assert load("a: 1\nb:\n").mapping()["b"].mark == Mark("x.yaml", 2, 1)


def test_a_literal_block_knows_where_its_lines_begin() -> None:
    node = load(TEXT).mapping()["einsums"]
    assert node.literal
    assert not load(TEXT).mapping()["folded"].literal
    lines = node.string().splitlines()
    found = [
        (node.mark.line + 1 + i, node.indent + line.index(s) + 1)
        for i, line in enumerate(lines)
        for s in ("QK[", "SN[")
        if s in line
    ]
    source = TEXT.splitlines()
    assert [source[line - 1][column - 1 :][:3] for line, column in found] == ["QK[", "QK[", "SN["]


@given(
    st.integers(1, 9),
    st.lists(st.sampled_from(["", "x", "  deeper", "é = 1  ", "# no comment here", "\ttab"]), min_size=1, max_size=6),
    st.sampled_from(["|", "|-", "|+", "| # note"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_lines_of_a_literal_block_are_found_in_the_text(width: int, lines: list[str], style: str, end: str) -> None:
    body = [" " * width + line if line else "" for line in ["first", *lines]]
    text = end.join(["# head", f"key: {style}", *body, "next: 1", ""])
    node = load(text).mapping()["key"]
    source = text.splitlines()
    for number, line in enumerate(node.text.splitlines()):
        assert source[node.mark.line + number][node.indent :] == line


def test_an_explicit_indent_is_kept() -> None:
    node = load("key: |2\n    deeper\n  first\n").mapping()["key"]
    assert (node.text, node.indent) == ("  deeper\nfirst\n", 2)


def test_an_empty_literal_block_has_no_indent() -> None:
    node = load("key: |\nnext: 1\n").mapping()["key"]
    assert (node.text, node.indent, node.literal) == ("", 0, True)


def test_at_path_moves_a_whole_tree() -> None:
    moved = load("a: {b: [1, {c: 2}]}").at_path("workload")
    inner = moved.mapping()["a"].mapping()["b"].sequence()[1].mapping()["c"]
    assert inner.path == "workload.a.b[1].c"
    assert moved.at_path("") == load("a: {b: [1, {c: 2}]}")


# Typed reading, each error with its text

READ: dict[str, Callable[[Node], object]] = {
    "mapping": Node.mapping,
    "sequence": Node.sequence,
    "string": Node.string,
    "name": Node.name,
    "names": Node.names,
    "boolean": Node.boolean,
    "number": Node.number,
    "integer": Node.integer,
    "positive_integer": Node.positive_integer,
    "bytes": lambda node: node.quantity("B"),
}


@pytest.mark.parametrize(
    ("reader", "text", "expected"),
    [
        ("mapping", "[1]", "must be a mapping, got a list"),
        ("mapping", "", "must be a mapping, got nothing"),
        ("sequence", "{a: 1}", "must be a list, got a mapping"),
        ("string", "true", 'must be a text, got "true"'),
        ("string", "[]", "must be a text, got a list"),
        ("name", "two words", 'must be a name, got "two words"'),
        ("name", "-x", 'must be a name, got "-x"'),
        ("boolean", "yes", 'must be true or false, got "yes"'),
        ("boolean", "1", 'must be true or false, got "1"'),
        ("number", "16 MiB", 'must be a number, got "16 MiB"'),
        ("number", "true", 'must be a number, got "true"'),
        ("number", ".nan", 'must be a number, got ".nan"'),
        ("number", "'5'", 'must be a number, got "5"'),
        ("integer", "1.5", 'must be an integer, got "1.5"'),
        ("positive_integer", "-4", 'must be a positive integer, got "-4"'),
        ("positive_integer", "0", 'must be a positive integer, got "0"'),
        ("positive_integer", "2.5", 'must be a positive integer, got "2.5"'),
        ("positive_integer", "true", 'must be a positive integer, got "true"'),
        ("bytes", "16", 'missing unit: expected a quantity in B, got "16"'),
        ("bytes", "16MiB", 'missing space between number and unit in "16MiB"'),
        ("bytes", "-16 MiB", 'must be not negative, got "-16 MiB"'),
        ("bytes", "[16 MiB]", "must be a quantity in B, got a list"),
        ("bytes", "", "must be a quantity in B, got nothing"),
        ("bytes", "true", 'must be a quantity in B, got "true"'),
    ],
)
def test_a_wrong_value_is_named_with_its_place(reader: str, text: str, expected: str) -> None:
    node = load(f"key:\n  inner: {text}").mapping()["key"].mapping()["inner"]
    column = 3 if not text else 10
    assert message_of(lambda: READ[reader](node)) == f"x.yaml:2:{column}: key.inner: {expected}"


def test_an_item_is_named_with_its_place() -> None:
    node = load("key: [a, [b]]").mapping()["key"]
    assert message_of(node.names) == "x.yaml:1:10: key[1]: must be a text, got a list"


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        ("string", "007", "007"),
        ("string", "1e3", "1e3"),
        ("name", "m1,m0", "m1,m0"),
        ("name", "fp8-e4m3", "fp8-e4m3"),
        ("names", "[a, 3pass]", ("a", "3pass")),
        ("integer", "1e3", 1000),
        ("integer", "2.0", 2),
        ("positive_integer", "3.0", 3),
        ("number", "1e-2", Fraction(1, 100)),
        ("bytes", "0 B", 0),
        ("bytes", "1.5 KiB", 1536),
    ],
)
def test_a_right_value_is_read(reader: str, text: str, value: object) -> None:
    assert READ[reader](load(f"key: {text}").mapping()["key"]) == value


def test_unknown_key_is_where_the_key_is() -> None:
    node = load("units:\n  pe2d:\n    rows: 4\n    colums: 4").mapping()["units"].mapping()["pe2d"]
    error = message_of(lambda: node.fields(("rows",), ("columns",)))
    assert error == 'x.yaml:4:5: units.pe2d.colums: unknown key "colums"; did you mean "columns"?'


def test_missing_key_is_where_the_mapping_is() -> None:
    node = load("pe2d: {rows: 4}").mapping()["pe2d"]
    assert message_of(lambda: node.fields(("rows", "columns"))) == 'x.yaml:1:7: pe2d: missing key "columns"'
    assert list(node.fields(("rows",), ("columns",))) == ["rows"]


# What is refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2", '2:1: duplicate key "a"'),
        ("a: {b: 1, c: 2, b: 3}", '1:17: duplicate key "b"'),
        ('a: 1\n"a": 2', '2:1: duplicate key "a"'),
        ("a: &x 1", '1:4: anchors are not allowed: "&x"'),
        ("&x a: 1", '1:1: anchors are not allowed: "&x"'),
        ("a: *x", '1:4: aliases are not allowed: "*x"'),
        ("*x : 1", '1:1: aliases are not allowed: "*x"'),
        ("a: &x [1]\nb: *x", '1:4: anchors are not allowed: "&x"'),
        ("a: !!int 1", '1:4: tags are not allowed: "tag:yaml.org,2002:int"'),
        ("a: ! 1", '1:4: tags are not allowed: "!"'),
        (
            "!!python/object/apply:os.system [ls]",
            '1:1: tags are not allowed: "tag:yaml.org,2002:python/object/apply:os.system"',
        ),
        ("a: 1\n---\nb: 2", "2:1: a second document in one file"),
        ("? [a]\n: 1", "1:3: a key must be a text"),
        ('"": 1', "1:1: a key must be a text"),
        ("a: 1e41", '1:4: number "1e41" is out of range'),
        ("a: 1e-999999999", '1:4: number "1e-999999999" is out of range'),
        ("a: " + "9" * 5000, f'1:4: number "{"9" * 40}..." is out of range'),
        ("a: 0." + "9" * 5000, f'1:4: number "0.{"9" * 38}..." is out of range'),
        ("[" * 10**5, "1:66: nested deeper than 64 levels"),
        ("{a: " * 10**5, "1:258: nested deeper than 64 levels"),
        ("- " * 10**5, "1:131: nested deeper than 64 levels"),
        ("[" + "1," * MAX_NODES + "]", f"1:{2 * MAX_NODES}: more than {MAX_NODES} values in one file"),
        (f"? {'k' * 2000}\n: [1]", "2:3: the names of the keys that lead here have more than 1000 characters"),
    ],
)
def test_refused_with_its_place(text: str, expected: str) -> None:
    assert message(text) == f"x.yaml:{expected}"


@pytest.mark.parametrize(
    "text", ["a: [1", "a: 'x", "a:\tb: c", "@", "a: b: c", "- a\nb: 1", "%YAML 9.1\n--- 1", "a: \0", "\ud800"]
)
def test_what_is_not_yaml_is_refused_on_one_line(text: str) -> None:
    error = message(text)
    assert error.startswith("x.yaml:")
    assert len(error.splitlines()) == 1


def test_a_billion_laughs_stop_at_the_first() -> None:
    lines = [
        'a: &a ["lol"]',
        *(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    ]
    assert message("\n".join(lines)) == 'x.yaml:1:4: anchors are not allowed: "&a"'


def test_too_much_text_is_refused() -> None:
    assert message("#" * (MAX_BYTES + 1)) == f"x.yaml: is longer than {MAX_BYTES} bytes"
    assert message("#" + "é" * (MAX_BYTES // 2)) == f"x.yaml: is longer than {MAX_BYTES} bytes"


@pytest.mark.parametrize(
    "text",
    [
        "- |\n" * 99_000,
        "- |\n" + "\n" * 10**6,
        "\n".join("  " * i + "k" * 14 + ":" for i in range(60)) + " [" + "1," * 90_000 + "]",
        "[" * 60 + "a," * 400_000,
        "a: " + "1" * 10**6,
        "a: '" + "x" * 10**6,
        "# \n" * 300_000,
    ],
    ids=["literals", "blank", "paths", "flow", "digits", "quote", "comments"],
)
def test_a_full_file_takes_seconds_at_most(text: str) -> None:
    """Quadratic work would take hours: the limit is generous so that a slow machine passes."""
    start = time.process_time()
    with suppress(AccelsimError):
        load(text)
    assert time.process_time() - start < 20


# Files


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a b.yaml"
    path.write_bytes(b"\xef\xbb\xbfkey: 1\n")
    node = load_file(path).mapping()["key"]
    assert node.mark == Mark(str(path), 1, 6)


def test_file_at_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("#" * MAX_BYTES)
    assert load_file(path).value is None


def test_bad_files_are_refused(tmp_path: Path) -> None:
    sparse, binary, pipe = tmp_path / "sparse.yaml", tmp_path / "binary.yaml", tmp_path / "pipe.yaml"
    with sparse.open("wb") as file:
        file.truncate(100 << 20)
    binary.write_bytes(b"abc\xff\xfe")
    os.mkfifo(pipe)
    expected = {
        sparse: "is 104857600 bytes; at most 1048576 are read",
        binary: "is not UTF-8 text (byte 3)",
        pipe: "is not a regular file; expected a YAML file",
        tmp_path: "is a directory; expected a YAML file",
        Path("/dev/zero"): "is not a regular file; expected a YAML file",
        Path("/dev/null"): "is not a regular file; expected a YAML file",
        tmp_path / "none.yaml": "No such file or directory",
        sparse / "x.yaml": "Not a directory",
        tmp_path / ("x" * 300): "File name too long",
    }
    for path, text in expected.items():
        with pytest.raises(AccelsimError) as caught:
            read_text(path)
        assert caught.value.message.endswith(text), path
    with pytest.raises(AccelsimError, match="is not a path"):
        read_text(Path("x\0.yaml"))


def test_a_file_that_grows_after_it_was_measured_is_not_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("#" * (MAX_BYTES + 1))
    small = os.stat_result((*path.stat()[:6], 1, *path.stat()[7:]))
    monkeypatch.setattr(Path, "stat", lambda self, **_: small)
    with pytest.raises(AccelsimError, match=f"is longer than {MAX_BYTES} bytes"):
        read_text(path)


def test_a_node_shown_in_an_error_is_short() -> None:
    node = replace(load("key: x").mapping()["key"], text="x" * 10**6)
    assert len(str(node.expected("a number"))) < 200
