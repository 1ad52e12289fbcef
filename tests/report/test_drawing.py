"""The drawing of a cascade: well formed, the same every time, nothing on top of anything else, every line in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.einsum.cascade import Shapes
from accelsim.einsum.passes import passes
from accelsim.errors import AccelsimError
from accelsim.report.boxes import LETTER
from accelsim.report.drawing import draw_cascade, draw_workload
from accelsim.report.layers import LANE, SPACE, Edge, Node, lay_out
from accelsim.workload import load_workload, parameter_names, steps
from tests.einsum.build import shapes_of
from tests.einsum.test_presence import cascades
from tests.tries import tries

SVG = "{http://www.w3.org/2000/svg}"
GIVEN = {"L": 32, "B": 2, "H": 4, "G": 2, "E": 8, "M": 32, "NB": 4, "BS": 8, "TOP": 2, "W": 8, "M0": 8}
ATTENTION = [
    f"{name}-{form}"
    for name, forms in {
        "attention": ("3pass", "3pass-deferred", "2pass", "2pass-deferred", "1pass"),
        "causal-attention": ("3pass", "1pass"),
        "window-attention": ("3pass", "1pass"),
        "block-topk-attention": ("3pass", "3pass-deferred"),
        "paged-attention": ("3pass",),
    }.items()
    for form in forms
]


def shapes_named(name: str) -> Shapes:
    known = parameter_names(name)
    sizes = [f"{key}={value}" for key, value in GIVEN.items() if key in known]
    return steps(load_workload(name, sizes))[0].shapes


def drawn(shapes: Shapes) -> ElementTree.Element:
    return ElementTree.fromstring(draw_cascade(shapes, passes(shapes.cascade)))


def texts(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def boxes(root: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of the boxes of the cascade; those of the legend are small."""
    found = []
    for rect in root.iter(f"{SVG}rect"):
        x, y, width, height = (float(rect.get(key, "0")) for key in ("x", "y", "width", "height"))
        if rect.get("fill-opacity") and height > 12:
            found.append((x, y, x + width, y + height))
    return found


def curves(root: ElementTree.Element) -> Iterator[list[tuple[float, float]]]:
    """Points along every edge, a few to each piece."""
    for path in root.iter(f"{SVG}path"):
        numbers = [float(n) for n in re.findall(r"-?[0-9.]+", path.get("d", ""))]
        if "C" in path.get("d", "") and len(numbers) % 6 == 2:
            places = list(zip(numbers[::2], numbers[1::2], strict=True))
            yield [bezier(places[at : at + 4], step / 8) for at in range(0, len(places) - 1, 3) for step in range(9)]


def bezier(ends: list[tuple[float, float]], t: float) -> tuple[float, float]:
    weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
    x, y = (sum(w * place[axis] for w, place in zip(weights, ends, strict=True)) for axis in (0, 1))
    return x, y


@pytest.mark.parametrize("name", ATTENTION)
def test_no_box_overlaps_another_and_no_edge_runs_through_one(name: str) -> None:
    root = drawn(shapes_named(name))
    places = boxes(root)
    for one, other in combinations(places, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for curve in curves(root):
        for x, y in curve:
            assert not any(left + 1 < x < right - 1 and top + 1 < y < bottom - 1 for left, top, right, bottom in places)


@pytest.mark.parametrize("name", ATTENTION)
def test_texts_stay_inside_their_boxes_and_the_picture(name: str) -> None:
    root = drawn(shapes_named(name))
    width = float(root.get("width", "0"))
    (inner,) = (group for group in root.iter(f"{SVG}g") if (group.get("transform") or "").startswith("translate(0 "))
    for text in inner.iter(f"{SVG}text"):
        x, y, words = float(text.get("x", "0")), float(text.get("y", "0")), text.text or ""
        end = x + len(words) * LETTER * int(text.get("font-size", "12")) / 12
        assert end <= width
        around = [box for box in boxes(root) if box[0] < x < box[2] and box[1] < y < box[3]]
        if around and not text.get("font-size"):
            assert end <= around[0][2]


def test_every_line_stands_in_the_drawing_with_its_start() -> None:
    words = texts(drawn(shapes_named("attention-1pass")))
    for row in (
        "SLNV[b,h,f,m1,p]",
        "= sum(SLN[b,h,m1,m0,p]*V[b,h,f,m1*M0+m0])",
        "RM[b,h,m1+1,p]",
        "start: RM[b,h,0,p] = lowest",
        "AV[b,h,f,p]",
        "= RNV[b,h,f,M1,p]/RD[b,h,M1,p]",
        "K[b,h,e,m]",
        "b=2, h=4, e=8, f=8, m=32, p=32, m1=4, m0=8; passes: 2 over m0",
    ):
        assert row in words


def test_long_lines_are_cut_where_a_person_would() -> None:
    words = texts(drawn(shapes_named("window-attention-3pass")))
    at = words.index("QK[b,h,m,p]")
    assert words[at + 1 : at + 4] == [
        "= sum(Q[b,h,e,p]*K[b,h,e,m]) over e",
        "  where m <= p and (m > p-W or m < SINK)",
        "GM[b,h,p]",
    ]
    value = "+".join(f"A{n}[i,j]" for n in range(7))
    inputs = " ".join(f"A{n}[i,j]" for n in range(7))
    words = texts(drawn(shapes_of(f"X[i,j] = {value}", inputs, {"i": 2, "j": 2})))
    assert [word for word in words if "+" in word] == [
        "= A0[i,j]+A1[i,j]+A2[i,j]+A3[i,j]+A4[i,j]+",
        "  A5[i,j]+A6[i,j]",
    ]


def test_passes_are_bands_from_top_to_bottom() -> None:
    root = drawn(shapes_named("attention-3pass"))
    bands = [text for text in root.iter(f"{SVG}text") if (text.text or "").startswith("pass ")]
    assert [text.text for text in bands] == [f"pass {n} over m" for n in (1, 2, 3)]
    assert [float(text.get("y", "0")) for text in bands] == sorted(float(text.get("y", "0")) for text in bands)


def test_a_cascade_of_one_pass_has_no_bands() -> None:
    words = texts(drawn(shapes_of("C[i,j] = A[i,k]*B[k,j]", "A[i,k] B[k,j]", {"i": 2, "j": 2, "k": 2})))
    assert not [word for word in words if word.startswith("pass ")]
    assert "i=2, j=2, k=2; passes: one over every rank" in words


def test_recurrences_lead_back() -> None:
    svg = draw_cascade(shapes_named("attention-1pass"), {})
    back = re.findall(r'fill="none" stroke="#D55E00"[^>]*stroke-dasharray="5 3"', svg)
    assert len(back) == 3 + 1  # RM reads itself, SPD reads RD, SPNV reads RNV; and the legend


def test_the_same_cascade_gives_the_same_bytes() -> None:
    shapes = shapes_named("attention-2pass")
    first, second = (draw_cascade(shapes, passes(shapes.cascade)) for _ in range(2))
    assert first == second


def test_a_layer_is_drawn_step_by_step() -> None:
    root = ElementTree.fromstring(draw_workload(load_workload("bert-layer", ["L=16"])))
    heads = [word for word in texts(root) if re.fullmatch(r"[a-z-]+ \([a-z0-9-]+\)", word)]
    assert heads[0] == "q-projection (default)"
    assert heads[3] == "attention (3pass)"
    assert len(heads) == 7


@given(cascades())
@settings(max_examples=15, deadline=None)
def test_masks_and_signs_are_written_as_text(shapes: Shapes) -> None:
    drawn(shapes)


def test_lines_of_a_circle_without_an_order_are_drawn_too() -> None:
    lines = """
        A[0] = s[0]
        B[0] = s[1]
        C[0] = s[2]
        A[i+1] = B[i] + C[i]
        B[i+1] = C[i] + s[i]
        C[i+1] = A[i] + C[i]
    """
    assert "C[i+1]" in texts(drawn(shapes_of(lines, "s[i]", {"i": 4})))


def test_too_many_lines_are_refused() -> None:
    lines = "X0[i] = A[i]\n" + "\n".join(f"X{n}[i] = X{n - 1}[i]" for n in range(1, 201))
    shapes = shapes_of(lines, "A[i]", {"i": 4})
    with pytest.raises(AccelsimError) as error:
        draw_cascade(shapes, {})
    assert str(error.value) == "a drawing of 201 lines cannot be read; at most 200 are drawn"


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Node], list[Edge]]:
    layers = draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    nodes = [
        Node(f"n{layer}.{at}", layer, draw(st.integers(10, 90)), draw(st.integers(10, 40)))
        for layer, count in enumerate(layers)
        for at in range(count)
    ]
    pairs = [(a.name, b.name) for a, b in combinations(nodes, 2) if a.layer < b.layer]
    return nodes, [Edge(*pair) for pair in draw(st.lists(st.sampled_from(pairs), max_size=12, unique=True))]


@given(graphs())
@settings(max_examples=tries(80), deadline=None)
def test_a_layer_keeps_its_nodes_and_lanes_apart(graph: tuple[list[Node], list[Edge]]) -> None:
    nodes, edges = graph
    count = 1 + max(node.layer for node in nodes)
    layout = lay_out(nodes, edges, [0.0, *[30.0] * (count - 1)])
    layer = {node.name: node.layer for node in nodes}
    for at in range(count):
        held = [(layout.centres[node.name], node.width) for node in nodes if node.layer == at]
        held += [
            (bends[at - layer[edge.tail] - 1], float(LANE))
            for edge, bends in zip(edges, layout.bends, strict=True)
            if layer[edge.tail] < at < layer[edge.head]
        ]
        for (left, wide), (right, broad) in pairwise(sorted(held)):
            assert right - left >= wide / 2 + broad / 2 + SPACE - 1e-6
        assert all(width / 2 - 1e-6 <= x <= layout.width - width / 2 + 1e-6 for x, width in held)
    assert all(bottom <= top for bottom, top in zip(layout.bottoms, layout.tops[1:], strict=False))


def test_a_straight_chain_is_straight() -> None:
    nodes = [Node(str(at), at, 40 + 10 * at, 20) for at in range(4)]
    layout = lay_out(nodes, [Edge(str(at), str(at + 1)) for at in range(3)], [0.0, 30.0, 30.0, 30.0])
    assert len({round(layout.centres[str(at)], 6) for at in range(4)}) == 1
    assert layout.tops == (0.0, 50.0, 100.0, 150.0)
