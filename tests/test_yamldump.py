"""Documents as text again: the loader reads the same values back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.shipped import PACKAGE
from accelsim.yamldump import dump_node
from accelsim.yamlfile import load_file, load_text

SHIPPED = sorted(
    path for kind in ("workloads", "arch_configs", "sweeps") for path in (PACKAGE.parent / kind).rglob("*.yaml")
)
WRITTEN = (
    "16e9",
    '"16e9"',
    "no",
    '"no"',
    "null",
    '""',
    "0x10",
    "1:30",
    "'<<'",
    "16 MiB",
    '"a: b # c"',
    '"two\\nlines"',
)
DOCUMENTS = st.recursive(
    st.sampled_from(WRITTEN),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(["a", "b.c", '"m1,m0"']), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_values_survive(text: str) -> None:
    node = load_text(text, "x.yaml")
    assert load_text(dump_node(node), "y.yaml").plain() == node.plain()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_survive(path: object) -> None:
    node = load_file(path)  # type: ignore[arg-type]
    assert load_text(dump_node(node), "y.yaml").plain() == node.plain()


def test_text_of_several_lines_stays_a_block() -> None:
    text = "a: 16 MiB\nb:\n  c: |\n    x = y  # kept\n      z\n"
    assert dump_node(load_text(text, "x.yaml")) == text
