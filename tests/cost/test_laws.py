"""What must hold of any result: more hardware never hurts where the rule says so, work scales, special cases agree."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.arch import load_arch
from accelsim.result import Result
from accelsim.simulate import simulate_named

DESIGNS = ("unfused", "flat", "fusemax-cascade", "fusemax-arch", "fusemax")
FITTED = ("unfused", "fusemax-cascade", "fusemax-arch", "fusemax")
LENGTH = st.integers(1, 20_000)


def run(arch: str, workload: str = "attention", machine: dict[str, str] | None = None, **sizes: int) -> Result:
    plain = {"B": 2, "H": 3, "E": 64, "M": 3000, "P": 2000} | sizes
    said = [*(f"{k}={v}" for k, v in plain.items()), *(f"arch.{k}={v}" for k, v in (machine or {}).items())]
    return simulate_named(arch, workload, said)


def same(first: Result, second: Result) -> None:
    """Two ways to say one thing cost the same in everything."""
    assert (first.seconds, first.energy_pj, first.actions) == (second.seconds, second.energy_pj, second.actions)
    assert (first.traffic, first.units, first.einsums) == (second.traffic, second.units, second.einsums)


@pytest.mark.parametrize("arch", DESIGNS)
@settings(max_examples=5)
@given(m=LENGTH, p=LENGTH, e=st.integers(1, 200), f=st.integers(1, 200))
def test_utilisation_and_limits(arch: str, m: int, p: int, e: int, f: int) -> None:
    result = run(arch, M=m, P=p, E=e, F=f)
    cycles = result.cycles_exact
    assert cycles is not None
    for unit in result.units.values():
        assert unit.utilization * cycles <= unit.busy_cycles <= cycles
    assert result.seconds == sum(part.seconds for part in result.parts)
    assert all(part.seconds == max(part.limits.values()) == part.limits[part.bound_by] for part in result.parts)


@pytest.mark.parametrize("arch", DESIGNS)
@settings(max_examples=4)
@given(m=LENGTH, p=LENGTH, b=st.integers(1, 9), h=st.integers(1, 9))
def test_time_and_energy_scale_with_batch_and_heads(arch: str, m: int, p: int, b: int, h: int) -> None:
    one, many = run(arch, M=m, P=p, B=1, H=1), run(arch, M=m, P=p, B=b, H=h)
    assert many.seconds == b * h * one.seconds
    assert one.energy_pj is not None
    assert many.energy_pj == b * h * one.energy_pj
    assert many.level_bytes("dram") == b * h * one.level_bytes("dram")
    assert many.units == {n: type(u)(u.busy_cycles * b * h, u.utilization) for n, u in one.units.items()}


@pytest.mark.parametrize("arch", DESIGNS)
@settings(max_examples=4)
@given(m=LENGTH, p=LENGTH, gib=st.integers(1, 1000), more=st.integers(1, 1000))
def test_more_bandwidth_is_never_slower(arch: str, m: int, p: int, gib: int, more: int) -> None:
    """And changes nothing but the time: the same bytes move."""
    slow, fast = (run(arch, machine={"levels.dram.bandwidth": f"{n} GiB/s"}, M=m, P=p) for n in (gib, gib + more))
    assert fast.seconds <= slow.seconds
    assert fast.traffic == slow.traffic
    assert fast.energy_pj == slow.energy_pj


@pytest.mark.parametrize("arch", FITTED)
@settings(max_examples=6)
@given(m=LENGTH, p=LENGTH, kib=st.tuples(st.integers(0, 12), st.integers(0, 12)))
def test_a_larger_buffer_never_moves_more_bytes_off_chip(arch: str, m: int, p: int, kib: tuple[int, int]) -> None:
    """`fit` takes a larger divisor or the same: the number of sweeps over keys and values divides exactly."""
    small, large = sorted(700 << exponent for exponent in kib)
    found = [run(arch, machine={"levels.buffer.capacity": f"{n} KiB"}, M=m, P=p) for n in (small, large)]
    assert found[1].level_bytes("dram") <= found[0].level_bytes("dram")
    assert found[1].seconds <= found[0].seconds


@pytest.mark.parametrize("arch", DESIGNS)
@settings(max_examples=4)
@given(m=LENGTH, p=LENGTH)
def test_twice_the_clock_halves_the_time_of_what_computes(arch: str, m: int, p: int) -> None:
    free = {"levels.dram.bandwidth": "unlimited"}
    clock = load_arch(arch).clock_hz
    slow, fast = (run(arch, machine={**free, "clock": f"{n * clock} Hz"}, M=m, P=p) for n in (1, 2))
    assert slow.seconds == 2 * fast.seconds
    assert slow.cycles == fast.cycles
    assert slow.energy_pj == fast.energy_pj


@pytest.mark.parametrize("arch", DESIGNS)
def test_unlimited_is_the_limit_of_ever_more(arch: str) -> None:
    free = run(arch, machine={"levels.dram.bandwidth": "unlimited"})
    much = run(arch, machine={"levels.dram.bandwidth": "1000000 TiB/s"})
    assert much.seconds == free.seconds
    assert "dram" not in free.parts[0].limits


@settings(max_examples=5)
@given(m=LENGTH, p=LENGTH)
def test_a_slower_schedule_of_the_same_hardware_is_slower(m: int, p: int) -> None:
    """The same work and the same bytes, with and without interleaved tiles."""
    drained, interleaved = run("fusemax-arch", M=m, P=p), run("fusemax", M=m, P=p)
    assert interleaved.seconds <= drained.seconds
    assert interleaved.traffic == drained.traffic
    assert interleaved.actions == drained.actions


@settings(max_examples=5)
@given(m=st.integers(1, 3000), p=st.integers(1, 3000), sink=st.integers(0, 9))
def test_a_mask_saves_and_a_wider_one_saves_less(m: int, p: int, sink: int) -> None:
    full, causal = run("fusemax", M=m, P=p), run("fusemax", "causal-attention", M=m, P=p)
    narrow, wide = (run("fusemax", "window-attention", M=m, P=p, W=w, SINK=sink) for w in (50, 900))
    energies = [result.energy_pj or Fraction(0) for result in (narrow, wide, causal, full)]
    assert energies == sorted(energies)
    assert narrow.seconds <= wide.seconds <= causal.seconds <= full.seconds
    assert narrow.level_bytes("dram") <= wide.level_bytes("dram") <= causal.level_bytes("dram")


@settings(max_examples=4)
@given(m=st.integers(1, 3000), p=st.integers(1, 3000))
def test_a_window_over_everything_is_the_causal_mask(m: int, p: int) -> None:
    same(run("fusemax", "causal-attention", M=m, P=p), run("fusemax", "window-attention", M=m, P=p, W=p, SINK=0))


@pytest.mark.parametrize("arch", ["fusemax", "unfused"])
def test_a_group_for_every_head_is_plain_attention(arch: str) -> None:
    same(run(arch), run(arch, "grouped-attention", G=3))


def test_heads_that_share_keys_need_fewer_of_them() -> None:
    """Where no tile leaves the buffer, keys of a group are compulsory once; the rule fetches them for every head."""
    plain, shared = run("fusemax"), run("fusemax", "grouped-attention", G=1)
    assert shared.seconds == plain.seconds
    assert shared.level_bytes("dram") == plain.level_bytes("dram")
    best = simulate_named(
        "fusemax", "grouped-attention", ["B=2", "H=3", "G=1", "E=64", "M=3000", "P=2000"], depth="bound"
    )
    assert best.traffic["dram"]["K"].read == 2 * 2 * 64 * 3000


@pytest.mark.parametrize("workload", ["linear", "projection", "output-projection", "gemm"])
def test_layers_that_fill_the_array_use_all_of_it(workload: str) -> None:
    sizes = {
        "linear": ["B=2", "P=512", "D=700", "S=1024"],
        "projection": ["B=2", "P=512", "D=700", "H=8", "E=64"],
        "output-projection": ["B=2", "P=512", "D=1024", "H=8", "F=64"],
        "gemm": ["M=2048"],
    }[workload]
    result = simulate_named("fusemax", workload, [*sizes, "arch.levels.dram.bandwidth=unlimited"])
    assert result.units["pe2d"].utilization == 1
    assert result.cycles_exact == Fraction(result.macs, 256 * 256)


@settings(max_examples=10)
@given(rows=st.integers(1, 300), cols=st.integers(1, 300), m=st.integers(1, 2000), n=st.integers(1, 2000))
def test_cycles_of_a_product_on_any_array(rows: int, cols: int, m: int, n: int) -> None:
    """Passes over the array times the length of the sum, for sizes that are no multiple of it."""
    machine = [f"arch.units.pe2d.rows={rows}", f"arch.units.pe2d.cols={cols}", "arch.levels.dram.bandwidth=unlimited"]
    result = simulate_named("fusemax", "gemm", [f"M={m}", f"N={n}", "K=7", *machine])
    assert result.cycles == -(-m // rows) * -(-n // cols) * 7
