"""What top-k engines are made of: networks that sort, counts of their structure, and costs with their sources."""

from __future__ import annotations

from itertools import product
from math import log2
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.topk.costs import cost_report, load_costs, read_costs
from accelsim.units.topk.digits import RadixParams
from accelsim.units.topk.engines import ENGINES
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.merge import merger, sorter
from accelsim.units.topk.parts import ones_counter, parts_of
from accelsim.units.topk.quick import QuickParams
from accelsim.yamlfile import load_file
from tests.source import ROOT

COSTS = ROOT / "arch_configs" / "topk" / "topk-costs.yaml"


def exchanged(values: list[int], network: list[tuple[int, int]]) -> list[int]:
    for low, high in network:
        if values[low] > values[high]:
            values[low], values[high] = values[high], values[low]
    return values


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_the_sorter_sorts(width: int) -> None:
    """All rows of zeros and ones: then it sorts every row (Knuth, volume 3, 5.3.4)."""
    network = list(sorter(width))
    assert all(exchanged(list(row), network) == sorted(row) for row in product((0, 1), repeat=width))


@pytest.mark.parametrize("width", [2, 4, 8, 16])
def test_the_merger_merges(width: int) -> None:
    network, half = list(merger(0, width)), width // 2
    for ones in product(range(half + 1), repeat=2):
        row = [value for count in ones for value in [0] * (half - count) + [1] * count]
        assert exchanged(row, network) == sorted(row)


@pytest.mark.parametrize("width", [2, 4, 8, 16, 32, 64])
def test_networks_have_as_many_comparators_as_batcher_counts(width: int) -> None:
    p = int(log2(width))
    assert len(list(sorter(width))) == (p * p - p + 4) * 2 ** (p - 2) - 1
    assert len(list(merger(0, width))) == (p - 1) * width // 2 + 1


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16, 32])
def test_a_counter_of_ones_takes_an_adder_less_than_lanes(lanes: int) -> None:
    """In full adders: lanes - 1 adders; those of level l have l bits, and a sum of them all a closed form."""
    assert ones_counter(lanes) == 2 * lanes - 2 - (lanes - 1).bit_length()


@given(st.sampled_from(sorted(ENGINES)), st.sampled_from([1, 2, 4, 8, 16]), st.integers(4, 300), st.integers(1, 3))
def test_more_of_anything_is_never_made_of_less(name: str, lanes: int, n: int, k: int) -> None:
    params = ENGINES[name].params
    less = parts_of(params(lanes=lanes), Ranking(n, k))
    for more in (
        parts_of(params(lanes=2 * lanes), Ranking(n, k)),
        parts_of(params(lanes=lanes), Ranking(n + 50, k + 1)),
        parts_of(params(lanes=lanes, score_bits=24), Ranking(n, k)),
        parts_of(params(lanes=lanes, overlap="all"), Ranking(n, k)),
    ):
        assert more.compare >= less.compare
        assert more.mux >= less.mux
        assert more.memory >= less.memory


def test_quick_select_by_hand() -> None:
    """Two lanes, scores of 12 bits, four of them, indices of 2 bits; one lane for FILTER.

    Compared: two scores with a pivot, twice, and one with the threshold, and gaps in front of the second lane counted
    in both halves. Kept: three queues, of which one is the copy with indices, and that twice.
    """
    parts = parts_of(QuickParams(lanes=2, input_lanes=1), Ranking(4, 1))
    assert parts.compare == 4 * 12 + 12 + 2 * 2
    assert parts.memory == 2 * 4 * 12 + 2 * 4 * (12 + 2)


def test_radix_select_has_a_counter_for_each_value_but_one() -> None:
    one = parts_of(RadixParams(lanes=1, input_lanes=1, digit_bits=1), Ranking(16, 3))
    assert one.compare == 12 + 12 + (5 + 5)  # FILTER and the digits found, a counter of 5 bits, added up and searched
    two, four = (parts_of(RadixParams(lanes=1, digit_bits=bits), Ranking(16, 3)).compare for bits in (1, 2))
    assert four - two == 2 * (5 + 5)


def test_what_nobody_says_is_none_and_so_is_the_whole() -> None:
    report = cost_report("quickselect", QuickParams(), Ranking(1024, 512), 5000.0)
    assert report["area_um2"] is None
    assert report["energy_pj"] is None
    areas, energies = report["area_um2_by"], report["energy_pj_by"]
    assert isinstance(areas, dict)
    assert isinstance(energies, dict)
    assert areas["memory"] is None
    assert areas["compare"] == pytest.approx(
        parts_of(QuickParams(), Ranking(1024, 512)).compare * 49.28944 / 16, rel=1e-5
    )
    assert energies["compare"] == pytest.approx((5000 + 1024) * 12 * 0.028036 / 16, rel=1e-5)


def test_whole_engines_are_those_of_the_paper() -> None:
    """2.7 % of 18.71 mm2 and 1.0 % of 8.30 W, for two engines."""
    (engine,) = load_costs().engines
    assert (engine.engine, engine.lanes) == ("quickselect", 16)
    assert 2 * engine.area_mm2 == pytest.approx(0.027 * 18.71)
    assert 2 * engine.power_mw == pytest.approx(0.010 * 8300)
    assert cost_report("quickselect", QuickParams(lanes=8), Ranking(9, 3), 1.0)["published"] is None


@pytest.mark.parametrize(
    ("found", "written", "message"),
    [
        ("accelsim/topk-costs/1", "accelsim/arch/1", "1:9: schema: must be"),
        ("area: 3.08059 um2", "area: 3.08059 pJ", "5:11: parts.compare.area"),
        ("lanes: 16", "lanes: -16", 'engines[0].lanes: must be a positive integer, got "-16"'),
        ("power: 41.5 mW", "watts: 41.5 mW", 'unknown key "watts"'),
    ],
)
def test_costs_that_are_wrong(tmp_path: Path, found: str, written: str, message: str) -> None:
    path = tmp_path / "costs.yaml"
    text = COSTS.read_text(encoding="utf-8")
    assert found in text
    path.write_text(text.replace(found, written), encoding="utf-8")
    with pytest.raises(AccelsimError) as caught:
        read_costs(load_file(path))
    assert message in str(caught.value)
