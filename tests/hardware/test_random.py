"""Parameters that nobody chose: either refused in one line, or generated, clean, and without a fault."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware.catalog import UNITS, find_unit
from rtl.bench import devices_of, simulate, sweep
from rtl.verilog import lint, verilog_text

SEED = 5
ACCEPTED = 6
EXP = ("range_stages", "lookup_stages", "horner_stages", "shift_stages")
Plain = dict[str, object]


def stages(rng: Random, *names: str) -> Plain:
    return {name: rng.choice((0, 0, 1, 2, 3)) for name in names}


def number(rng: Random, sign: str) -> str:
    width = rng.randint(3, 30)
    return f"{sign}{width}.{rng.randint(0, width)}"


def sums(rng: Random, p: int) -> Plain:
    fraction = p + rng.randint(0, 4)
    width = rng.randint(fraction + 2, 60)
    return dict.fromkeys(("denominator", "accumulator"), f"s{width}.{fraction}")


def exp(rng: Random) -> Plain:
    bits = rng.randint(0, 28)
    target = rng.choice((f"u{bits + 2}.{bits}", f"s{bits + 1 + rng.randint(1, 3)}.{bits}", f"u{max(bits, 1)}.{bits}"))
    shapes = {"segments": rng.choice((4, 8, 128)), "lanes": rng.choice((1, 2, 5))}
    return {"source": number(rng, "u"), "target": target, **shapes, **stages(rng, *EXP)}


def softmax(rng: Random) -> Plain:
    lanes, p, factor = rng.choice((1, 2, 3, 8)), rng.randint(2, 20), rng.randint(2, 26)
    formats = {
        "scores": number(rng, "s"),
        "p": rng.choice((f"s{p + 1}.{p}", f"u{p}.{p}", f"u{p + 2}.{p}")),
        "factors": f"u{factor + 1}.{factor}",
        "segments": rng.choice((4, 16, 128)),
        **sums(rng, p),
    }
    sizes = {"lanes": lanes, "tile": lanes * rng.choice((1, 2, 7)), "length": rng.choice((1, 7, 333))}
    return {**sizes, **formats, **stages(rng, "maximum_stages", "difference_stages", "sum_stages", *EXP)}


def attention(rng: Random) -> Plain:
    p, width = rng.randint(2, 24), rng.randint(3, 30)
    formats: Plain = {
        **{name: f"{rng.choice('su')}{rng.randint(2, 10)}" for name in ("q", "k", "v")},
        "scores": number(rng, "s"),
        **dict.fromkeys(("p", "factors"), f"u{p + 1}.{p}"),
        **sums(rng, p),
        "output": f"s{width}.{rng.randint(0, width - 1)}",
        "division_bits": rng.randint(1, width + 1),
    }
    sizes = {"depth": rng.choice((1, 2, 5, 9)), "columns": rng.choice((1, 3)), "length": rng.choice((1, 7, 333))}
    kinds = ("product", "level", "scale", "round", "difference", "weigh")
    return {**sizes, **formats, **stages(rng, *(f"{kind}_stages" for kind in kinds), *EXP)}


def systolic(rng: Random) -> Plain:
    left, right, dataflow = rng.randint(2, 18), rng.randint(2, 18), rng.choice(("os", "ws"))
    rows, length = rng.choice((1, 2, 5)), rng.choice((1, 7, 300))
    products = length if dataflow == "os" else min(length, rows)
    sizes = {"rows": rows, "cols": rng.choice((1, 2, 5)), "length": length}
    widths = {"left": left, "right": right, "accumulator": (products << (left + right - 2)).bit_length() + 1}
    buffers = {"weight_buffers": rng.randint(1, 2)} if dataflow == "ws" else {}
    registers = stages(rng, "input_registers", "mac_registers", "output_registers")
    return {"dataflow": dataflow, **sizes, **widths, **buffers, **registers}


def divide(rng: Random) -> Plain:
    width = rng.randint(2, 30)
    widths = {"numerator": rng.choice((1, 3, 20, 61)), "denominator": rng.choice((1, 3, 20, 61))}
    output = {"output": f"s{width}.{rng.randint(0, width - 1)}", "division_bits": rng.randint(1, width + 1)}
    return {**widths, **output, "lanes": rng.choice((1, 2, 3))}


def gemv(rng: Random) -> Plain:
    sizes = {"lanes": rng.choice((1, 1, 2, 3)), "vectors": rng.choice((1, 1, 2)), "outputs": rng.choice((1, 2, 5, 12))}
    buffers = {"words": rng.choice((1, 2, 5)), "vector_buffers": rng.randint(0, 2)}
    adder = ("align_stages", "sum_stages", "normal_stages", "round_stages")
    return {**sizes, **buffers, **stages(rng, "read_stages", "product_stages", *adder)}


def fuse_array(rng: Random) -> Plain:
    sizes = {"rows": rng.choice((1, 2, 5, 8)), "cols": rng.choice((1, 2, 5, 8)), "length": rng.choice((1, 7, 300))}
    widths = {"query": rng.randint(2, 17), "key": rng.randint(2, 12), "source": f"s16.{rng.randint(1, 12)}"}
    return {**sizes, **widths, **stages(rng, "input_registers", "output_registers")}


def array_engine(rng: Random) -> Plain:
    sizes = {"rows": rng.choice((1, 2, 4, 8)), "cols": rng.choice((2, 4, 8))}
    words = {f"{pad}_words": rng.choice((1, 3, 8, 16)) for pad in ("q", "k", "v", "p", "s", "pv")}
    return {**sizes, **words, **stages(rng, "input_registers", "mac_registers", "output_registers")}


def topk(rng: Random) -> Plain:
    widths = {"score_bits": rng.choice((1, 2, 5, 16)), "index_bits": rng.choice((1, 6)), "tag_bits": rng.choice((1, 3))}
    lanes = {"input_lanes": rng.choice((1, 2, 3, 4)), "lanes": rng.choice((1, 2, 4, 8, 16))}
    return {**widths, **lanes, "most": rng.choice((1, 2, 9, 24, 33)), **stages(rng, "compare_stages", "close_stages")}


def topk_quick(rng: Random) -> Plain:
    return {**topk(rng), "pivots": rng.choice(("stream", "sampled"))}


def topk_radix(rng: Random) -> Plain:
    words = {"first_digit": rng.choice(("select", "fill")), "early_exit": rng.choice(("no", "yes"))}
    stages = {f"{name}_stages": rng.choice((0, 1, 2)) for name in ("read", "match", "sum", "find")}
    return {**topk(rng), **words, **stages, "digit_bits": rng.choice((1, 2, 3, 5))}


def sequencer(rng: Random) -> Plain:
    return {"depth": rng.choice((3, 12, 20, 64)), "slots": rng.choice((1, 2, 7, 12))}


DRAWN: dict[str, Callable[[Random], Plain]] = {
    "exp": exp,
    "softmax": softmax,
    "attention": attention,
    "gemv": gemv,
    "systolic": systolic,
    "divide": divide,
    "fuse-array": fuse_array,
    "array-engine": array_engine,
    "topk-quick": topk_quick,
    "topk-radix": topk_radix,
    "sequencer": sequencer,
}


def accepted(name: str) -> tuple[list[Any], list[str]]:
    """Parameters that the unit takes, and what was said of those that it refused on the way."""
    rng, unit = Random(SEED), find_unit(name)
    found: list[Any] = []
    refusals: list[str] = []
    while len(found) < ACCEPTED:
        try:
            found.append(unit.read(DRAWN[name](rng)))
        except AccelsimError as error:
            refusals.append(str(error))
    return found, refusals


@pytest.mark.slow
@pytest.mark.parametrize("name", list(UNITS))
def test_parameters_that_nobody_chose(name: str) -> None:
    bench, (setups, refusals) = find_unit(name).under_test, accepted(name)
    assert [refusal for refusal in refusals if "\n" in refusal] == []
    for setup in setups:
        lint(verilog_text(bench.build(setup), f"accelsim_{bench.name}"), f"accelsim_{bench.name}")
    results = simulate(devices_of(bench, setups), sweep(bench, setups, SEED), x_seeds=(1,))
    assert [f"{result.case.name}: {line}" for result in results for line in result.failures] == []
