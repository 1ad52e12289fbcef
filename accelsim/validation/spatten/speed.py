"""Time, rate, power and area of the whole machine and of an eighth of it, beside what was published."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.errors import AccelsimError
from accelsim.result import Result
from accelsim.validation.check import Allowance, Check, compare
from accelsim.validation.runs import Runs, energy_pj
from accelsim.validation.spatten.points import (
    DECODE,
    EIGHTH,
    FULL,
    HIDDEN,
    MEDIUM,
    SMALL,
    Model,
    flops,
    milliseconds,
    published,
)
from accelsim.validation.table import Cell, Table

PROCESSORS = {"TITAN Xp": "titan", "Xeon E5-2640 v4": "xeon", "Jetson Nano": "nano", "Raspberry Pi 4": "pi"}
HIDING = Allowance(0.2, "top-k hides FILL as in the simulation behind it; nothing beside each request is charged")
GROUPS = ("logic", "sram", "dram")
AREA_NOTES = (
    "Not counted: crossbars and their queues, the softmax FIFO, width converters, registers between stages, wires,",
    "control. Multipliers, dividers and adders are of 45 nm and of other designs; the engines of top-k are the",
    "paper's own 2.7 %, so that they agree by construction. An eighth has the SRAM and the engines of the whole, and",
    "is larger than published: its SRAM is denser there, or there is less of it.",
)


def checks(runs: Runs) -> Iterator[Check]:
    """The one time that was published in milliseconds, with top-k as that simulation had it."""
    ours = milliseconds(runs.named(FULL, MEDIUM.preset, HIDDEN))
    yield compare("attention/gpt2-medium", "milliseconds", ours, str(medium_ms()), HIDING)


def medium_ms() -> float:
    """The published time of GPT-2-Medium, in proportion to the heads that the released trace leaves, 354 of 384."""
    return published("attention-ms") * 354 / 384


def tables(runs: Runs) -> Iterator[Table]:
    """Times and rates, power, processors, accelerators and area."""
    yield _times(runs)
    yield _power(runs)
    yield _processors(runs)
    yield _accelerators(runs)
    yield _area(runs)


def _times(runs: Runs) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for model, time, rate in ((MEDIUM, medium_ms(), published("gpt2-tflops")), (SMALL, None, published("gpt2-tflops"))):
        plain, hidden = (runs.named(FULL, model.preset, more) for more in ((), HIDDEN))
        done = flops(runs, model, dense=False)
        rows.append((f"{model.name}, ms", time, milliseconds(plain), milliseconds(hidden), plain.bound_by))
        rates = (done / float(result.seconds) * 1e-12 for result in (plain, hidden))
        rows.append((f"{model.name}, TFLOPS", rate, *rates, plain.bound_by))
        rows.append((f"{model.name}, cycle over analytic, a token", None, executed(runs, model), None, ""))
    head = ("32 tokens of", "published", "ours", "ours, FILL hidden", "bound by")
    return Table("Time of attention", head, tuple(rows), TIME_NOTES)


TIME_NOTES = (
    "published: 2.13 ms x 354 / 384 heads, and a mean of 8 tasks for TFLOPS. ours: an engine of 16 lanes selects",
    "after the last score has come, 5 cycles beside each pass, and bounds the time. FILL hidden: scores of the next",
    "row come meanwhile, 3 cycles beside each pass, which is how the released simulations charge top-k. The",
    "published time of GPT-2-Medium lies in between, its rate too.",
)


PROCESSOR_NOTES = (
    "By the one time of a processor that was published for attention of a known model, 366.7 ms on TITAN Xp, and by",
    "43 s on Raspberry Pi 4, where the paper does not say which GPT-2 (the same sentence has 370 ms on TITAN Xp);",
    "both in proportion to the heads that the trace leaves. 61 W of TITAN Xp follow from two means of 30 tasks, and",
    "power x time there stands against energies of actions here: a guide only. Of the other processors only ratios",
    "over 30 tasks were published: without their times nothing of ours stands beside.",
)
ACCELERATOR_NOTES = (
    "The tasks behind the published rates are not said. 360 Gop/s are above the 256 that 128 multipliers do, so that",
    "they are operations of dense attention. A3 has as many multipliers, but counts as 128 Gop/s times 1.73 for what",
    "it leaves out: one of its two products seems forgotten, and its rates may be half of what they should be. 238",
    "is not 360 / 1.55, which is 232. MNNFast: a tenth of the 10 W of an FPGA. Ours at depth analytic; depth cycle",
    "takes up to a third longer.",
)


def executed(runs: Runs, model: Model) -> float:
    """Time of the second token at depth `cycle` over that at depth `analytic`."""
    settings = (*model.token(1, dense=False), *model.refetched(1))
    closed, run = (runs.named(FULL, DECODE, settings, depth) for depth in ("analytic", "cycle"))
    return float(run.seconds / closed.seconds)


def watts(result: Result) -> dict[str, float]:
    """Power by what the paper groups: logic, SRAM, DRAM.

    Raises:
        AccelsimError: a result without energy.
    """
    parts = result.energy_by
    if parts is None:
        raise AccelsimError(f"{result.workload} on {result.arch}: the energy is not known, nothing can be compared")
    memory = {name: float(parts[name]) for name in ("sram", "dram")}
    logic = float(sum(parts.values())) - sum(memory.values())
    return {name: pj * 1e-12 / float(result.seconds) for name, pj in {"logic": logic, **memory}.items()}


def _power(runs: Runs) -> Table:
    dense = ("M=128", "DROP0=0", "DROP1=0", "VKEEP=1000")
    results = {
        SMALL.name: runs.named(FULL, SMALL.preset),
        MEDIUM.name: runs.named(FULL, MEDIUM.preset),
        f"{MEDIUM.name}, FILL hidden": runs.named(FULL, MEDIUM.preset, HIDDEN),
        "bert-base, 128 tokens, dense": runs.named(FULL, "bert-base-pruned", dense),
    }
    found = {name: watts(result) for name, result in results.items()}
    rows: list[tuple[Cell, ...]] = [
        (group, published(f"{group}-w"), *(power[group] for power in found.values())) for group in GROUPS
    ]
    rows.append(("all", published("total-w"), *(sum(power.values()) for power in found.values())))
    return Table("Power in W", ("", "published, 30 tasks", *found), tuple(rows), POWER_NOTES)


POWER_NOTES = (
    "Published is one mean over 22 tasks of BERT and 8 of GPT-2. Ours leaves out leakage, the clock, registers,",
    "crossbars and queues, which a power of logic includes. DRAM has 3.92 pJ/bit, reads and writes alike.",
)


def _processors(runs: Runs) -> Table:
    """Ratios of 30 tasks, and those of the one task whose time on a processor is known."""
    scale = medium_ms() / published("attention-ms")
    results = [runs.named(FULL, MEDIUM.preset, more) for more in ((), HIDDEN)]
    titan_w = published("titan-energy") / published("titan-speed") * published("total-w")
    times = [milliseconds(result) for result in results]
    speeds = [published("titan-ms") * scale / ms for ms in times]
    energies = [published("titan-ms") * scale * 1e-3 * titan_w / (energy_pj(result) * 1e-12) for result in results]
    rows: list[tuple[Cell, ...]] = [
        ("TITAN Xp, gpt2-medium, speed", published("titan-ms") / published("attention-ms"), *speeds),
        ("TITAN Xp at 61 W, gpt2-medium, energy", None, *(float(energy) for energy in energies)),
        ("Raspberry Pi 4, a GPT-2 of 30 tokens, speed", None, *(1e3 * published("pi-s") * scale / ms for ms in times)),
    ]
    for name, key in PROCESSORS.items():
        rows.append((f"{name}, 30 tasks, speed", published(f"{key}-speed"), None, None))
        rows.append((f"{name}, 30 tasks, energy", published(f"{key}-energy"), None, None))
    return Table("Against processors", ("", "published", "ours", "ours, FILL hidden"), tuple(rows), PROCESSOR_NOTES)


def _accelerators(runs: Runs) -> Table:
    results = {model: runs.named(EIGHTH, model.preset) for model in (SMALL, MEDIUM)}
    area = sum(_areas(results[SMALL]).values())
    rates = {model: flops(runs, model, dense=True) / float(result.seconds) * 1e-9 for model, result in results.items()}
    rows: list[tuple[Cell, ...]] = [
        ("Gop/s", *_of("gops"), *rates.values()),
        ("Gop/J", *_of("gops-per-j"), *(_per_joule(runs, model, result) for model, result in results.items())),
        ("Gop/s/mm2", *_of("gops-per-mm2"), *(rate / area for rate in rates.values())),
    ]
    head = (
        "operations of dense attention",
        "MNNFast",
        "A3",
        "SpAtten/8",
        *(f"ours, {model.name}" for model in results),
    )
    return Table("Against accelerators, an eighth of the machine", head, tuple(rows), ACCELERATOR_NOTES)


def _of(what: str) -> tuple[Cell, ...]:
    mnnfast = None if what == "gops-per-mm2" else published(f"mnnfast-{what}")
    return mnnfast, published(f"a3-{what}"), published(f"eighth-{what}")


def _per_joule(runs: Runs, model: Model, result: Result) -> float:
    return flops(runs, model, dense=True) * 1e-9 / float(energy_pj(result) * 10**-12)


def _areas(result: Result) -> dict[str, float]:
    """Square millimetres by component; AccelsimError where the area is not known."""
    if result.area_um2 is None:
        raise AccelsimError(f"{result.arch}: the area is not known, nothing can be compared")
    return {name: float(area) * 1e-6 for name, area in result.area_um2.items() if area}


def _area(runs: Runs) -> Table:
    whole, eighth = (_areas(runs.named(arch, SMALL.preset)) for arch in (FULL, EIGHTH))
    rows: list[tuple[Cell, ...]] = [(name, None, whole[name], None, eighth[name]) for name in whole]
    sums = (published("area-mm2"), sum(whole.values()), published("eighth-mm2"), sum(eighth.values()))
    rows.append(("all that is counted", *sums))
    return Table("Area in mm2", ("", "published", "ours", "published, an eighth", "ours"), tuple(rows), AREA_NOTES)
