"""Where a `--set path=value` belongs: by its prefix, else by the one place that has such a key."""

from __future__ import annotations

import pytest

from accelsim.errors import AccelsimError
from accelsim.route import Overrides, route
from accelsim.simulate import simulate_named


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("L=1024", Overrides(workload=("L=1024",))),
        ("M0=128", Overrides(workload=("M0=128",))),
        ("cascade=1pass", Overrides(workload=("cascade=1pass",))),
        ("clock=1 GHz", Overrides(arch=("clock=1 GHz",))),
        ("units.pe2d.rows=128", Overrides(arch=("units.pe2d.rows=128",))),
        ("in_flight=2", Overrides(mapping=("groups.attention.in_flight=2",))),
        ("p1=3", Overrides(mapping=("split.p.p1=3",))),
        ("arch.clock=1 GHz", Overrides(arch=("clock=1 GHz",))),
        ("workload.params.B=3", Overrides(workload=("workload.params.B=3",))),
        ("mapping.groups.attention.in_flight=3", Overrides(mapping=("groups.attention.in_flight=3",))),
        ("arch.units.pe2d.ops.exp.cycles=2", Overrides(arch=("units.pe2d.ops.exp.cycles=2",))),
        ("groups.attention.overlap=pipeline", Overrides(mapping=("groups.attention.overlap=pipeline",))),
    ],
)
def test_each_goes_where_it_belongs(text: str, wanted: Overrides) -> None:
    assert route("fusemax", "bert", None, [text]) == wanted


def test_all_of_them_keep_their_order() -> None:
    found = route("fusemax", "bert", None, ["L=1", "arch.clock=1 GHz", "B=2", "L=3", "arch.clock=2 GHz"])
    assert found == Overrides(arch=("clock=1 GHz", "clock=2 GHz"), workload=("L=1", "B=2", "L=3"))


def test_keys_of_a_mapping_that_is_given() -> None:
    """`limit` is a key of one mapping only, `exposed` of another."""
    found = route("fusemax", "bert", "fusemax-cascade", ["limit=3 MiB"])
    assert found == Overrides(mapping=("keep.buffer.limit=3 MiB",))
    with pytest.raises(AccelsimError, match='nothing is named "limit"; did you mean "split"'):
        route("fusemax", "bert", None, ["limit=3 MiB"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows=128", '--set:1:1: "rows" is ambiguous: arch.units.pe2d.rows, mapping.spatial.pe2d.rows'),
        (
            "bandwidth=3 GB/s",
            '--set:1:1: "bandwidth" is ambiguous: arch.levels.dram.bandwidth, arch.levels.buffer.bandwidth',
        ),
        (
            "cycles=2",
            '--set:1:1: "cycles" is ambiguous: arch.units.pe2d.ops.mac.cycles, arch.units.pe2d.ops.mul.cycles, '
            "arch.units.pe2d.ops.add.cycles, arch.units.pe2d.ops.sub.cycles, arch.units.pe2d.ops.max.cycles, "
            "arch.units.pe2d.ops.exp.cycles",
        ),
        ("rowz=128", '--set:1:1: nothing is named "rowz"; did you mean "rows"?'),
        ("archs.clock=3", '--set:1:1: nothing is named "archs.clock"; did you mean "clock"?'),
        ("L", '--set:1:1: must be PATH=VALUE, got "L"'),
        ("=1", '--set:1:1: must be PATH=VALUE, got "=1"'),
    ],
)
def test_what_belongs_nowhere_or_to_several_is_refused(text: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        route("fusemax", "bert", None, [text])
    assert str(caught.value) == message


def test_a_workload_without_a_mapping_can_still_be_overridden() -> None:
    found = route("fusemax", "paged-attention", None, ["PG=8", "clock=1 GHz"])
    assert found == Overrides(arch=("clock=1 GHz",), workload=("PG=8",))


def test_a_place_in_the_workload_is_reached() -> None:
    sizes = [f"{name}=4" for name in "MNK"]
    plain, wide = (
        simulate_named("fusemax", "gemm", [*sizes, *more]).level_bytes("dram")
        for more in ([], ["workload.types.default=fp32", "workload.params.M=8"])
    )
    assert plain == 3 * 4 * 4 * 2
    assert wide == (2 * 8 * 4 + 4 * 4) * 4
