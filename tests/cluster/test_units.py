"""What a kernel costs on a processor and near the memory, and an all-reduce, each by its formula."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cluster.kernels import Kernel
from accelsim.cluster.model import Energies, Fit, Link, Near, Processor
from accelsim.cluster.units import NOTHING, Spent, add_up, all_reduce, near_energy, on_near, on_processor
from accelsim.units.roofline import Product, Roofline
from tests.cluster.named import near_of, system

ENERGIES = Energies(memory=3.0, shared=2.0, core=1.0, register=0.5, flop=0.25)
PLAIN = Processor(Roofline(1e12, 1e9, 1.0, 1.0, 2, None), 1e9, {"A": Fit(1e-6, 1e-12)}, ENERGIES)
NEAR = Near(Roofline(8e9, 4e9, 1.0, 1.0, 2, None), None, 0.0, None, 1, rereads=False, memory_energy=5, flop_energy=7)
WORK = Product(1, 4, 10, 20, 2)


def kernel(*einsums: str, product: Product | None = None) -> Kernel:
    flops = product.flops if product else 30
    return Kernel(einsums, frozenset("b"), product, 600.0, 400.0, flops, frozenset())


@given(st.integers(2, 16), st.floats(1, 1e9), st.integers(1, 3))
def test_an_all_reduce_by_its_formula(devices: int, size: float, rounds: int) -> None:
    """So many rounds for each other device, in each of which every device hands on its share of the bytes."""
    link = Link(bytes_per_s=450e9, latency_s=0.8e-6, rounds=rounds, energy=10.0)
    found = all_reduce(link, devices, size)
    steps = rounds * (devices - 1)
    assert found.seconds == pytest.approx(steps * 0.8e-6 + steps * size / devices / 450e9, rel=1e-12)
    assert found.energy_pj == {"link": pytest.approx(steps * size / devices * 10.0)}
    assert found.seconds >= rounds / 2 * size / 450e9  # no device gets all others' bytes faster


def test_one_device_has_nothing_to_reduce() -> None:
    assert all_reduce(Link(1.0, 1.0, 2, 1.0), 1, 1e9) == NOTHING


def test_a_ring_moves_less_than_twice_the_bytes_of_each() -> None:
    """Thakur et al. (IJHPCA 2005), section 4: 2 (p - 1) / p of them; energy only where it is known."""
    link = Link(bytes_per_s=1.0, latency_s=0.0, rounds=2, energy=None)
    for devices in (2, 4, 1024):
        found = all_reduce(link, devices, 1.0)
        assert found.seconds == pytest.approx(2 * (devices - 1) / devices)
        assert found.energy_pj == {}


def test_a_product_on_the_processor_by_hand() -> None:
    """1600 flops; 20 rows or columns of 14 numbers and 40 results, of 2 bytes; two flops are one mac."""
    found = on_processor(PLAIN, kernel("Q", product=WORK))
    moved = 2 * (14 * 20 + 40)
    assert found.seconds == moved / 1e9
    assert found.energy_pj == {
        "memory": moved * 3.0,
        "shared cache": moved * 2.0,
        "core caches": moved * 1.0,
        "registers": 800 * 0.5,
        "arithmetic": 1600 * 0.25,
    }


def test_element_wise_lines_move_their_bytes_or_take_what_was_measured() -> None:
    plain, fitted = on_processor(PLAIN, kernel("B", "C")), on_processor(PLAIN, kernel("B", "A"))
    assert plain.seconds == 1000 / 1e9
    assert fitted.seconds == 1e-6 + 1000 * 1e-12
    assert plain.energy_pj == fitted.energy_pj
    assert plain.energy_pj["registers"] == 0


def test_no_product_is_taken_for_the_line_that_was_measured() -> None:
    assert on_processor(PLAIN, kernel("A", product=WORK)) == on_processor(PLAIN, kernel("Q", product=WORK))


def test_what_no_source_gives_is_in_no_sum() -> None:
    unknown = replace(PLAIN, energies=Energies(3.0, None, None, None, 0.25))
    assert set(on_processor(unknown, kernel("Q", product=WORK)).energy_pj) == {"memory", "arithmetic"}


def test_near_memory_by_hand() -> None:
    """2 flops a byte: 640 bytes are read in 160 ns, 1600 flops take 200."""
    found = on_near(NEAR, kernel("Q", product=WORK))
    assert found.seconds == 1600 / 8e9
    assert found.energy_pj == {"near memory": 640 * 5, "near arithmetic": 1600 * 7}
    again = on_near(replace(NEAR, rereads=True), kernel("Q", product=WORK))
    assert again.seconds == found.seconds
    assert again.energy_pj["near memory"] == 1600 / 2 * 5


def test_units_that_read_again_never_read_less_than_all() -> None:
    """A vector takes a read of the matrix for each of its flops anyway."""
    vector = kernel("Q", product=Product(1, 1, 100, 100, 2))
    once, again = (on_near(replace(NEAR, rereads=rereads), vector) for rereads in (False, True))
    assert once.energy_pj == again.energy_pj
    assert near_energy(NEAR, 0.0, 3.0) == {"near memory": 0.0, "near arithmetic": 21.0}


@pytest.mark.parametrize("name", ["duplex", "bank-pim", "attacc"])
def test_shipped_units_do_as_many_flops_a_byte_as_their_file_says(name: str) -> None:
    near = near_of(system(name))
    assert near.flops_per_byte == pytest.approx({"duplex": 8, "bank-pim": 1, "attacc": 1}[name], rel=1e-12)


spent = st.builds(
    Spent, st.floats(0, 1e3), st.dictionaries(st.sampled_from(["memory", "link", "flops"]), st.floats(0, 1e3))
)


@given(spent, spent, st.floats(0, 100))
def test_what_is_spent_adds_up(one: Spent, other: Spent, factor: float) -> None:
    both = one + other
    assert both.seconds == one.seconds + other.seconds
    assert sum(both.energy_pj.values()) == pytest.approx(sum(add_up(one.energy_pj, other.energy_pj).values()))
    assert sum(both.energy_pj.values()) == pytest.approx(sum((*one.energy_pj.values(), *other.energy_pj.values())))
    assert one + NOTHING == one
    assert one.times(factor).seconds == one.seconds * factor
    assert one.lasting(5.0) == Spent(5.0, one.energy_pj)
