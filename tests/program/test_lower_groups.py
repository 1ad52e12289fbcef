"""Groups with tiles of their own at depth `cycle`: one program however it is said, and the laws of lowering."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accelsim.cost.analytic import step_cost
from accelsim.errors import AccelsimError
from accelsim.mapping import Placement
from accelsim.program.execute import execute
from accelsim.program.lower.program import program_of
from accelsim.program.text import render_program
from accelsim.result import Result
from accelsim.simulate import simulate
from tests.cost.drawn import GONE
from tests.cost.machines import SAMPLES, Case, Sample, case, sample, tiny
from tests.cost.own import resized, said_by_groups, taken_apart
from tests.program.random_mappings import ARRAYS, draw, iterations
from tests.program.test_lower_laws import check_flow, spans_of
from tests.program.test_lower_random import MOST_ITERATIONS, REFUSED, check_bytes
from tests.tries import tries

SEEDS, EACH = st.integers(0, 2**32), st.sampled_from(SAMPLES)


def lowered(one: Case) -> str:
    """The program, as text; a mapping that cannot be executed is left out."""
    try:
        step_cost(one.placement)
        assume(iterations(one.placement) <= MOST_ITERATIONS)
        return render_program(program_of((one.placement,), "laws"))
    except AccelsimError as error:
        assume(not any(reason in error.message for reason in (*REFUSED, *GONE)))
        raise


@settings(max_examples=tries(40), suppress_health_check=[HealthCheck.filter_too_much])
@given(seed=SEEDS, sample=EACH)
def test_what_all_groups_say_may_be_said_once(seed: int, sample: Sample) -> None:
    sizes, text = draw(Random(seed), sample)
    once = case(sample, sizes, text)
    program = lowered(once)
    each = case(sample, sizes, said_by_groups(taken_apart(text), once.placement.step.shapes.cascade).text)
    assert lowered(each) == program


@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.filter_too_much])
@given(seed=SEEDS, sample=EACH)
def test_groups_with_tiles_of_their_own_keep_the_laws(seed: int, sample: Sample) -> None:
    rng = Random(seed)
    machine = tiny(*rng.choice(ARRAYS))
    sizes, text = draw(rng, sample)
    cascade = case(sample, sizes, text, machine).placement.step.shapes.cascade
    own = case(sample, sizes, resized(taken_apart(text), cascade, rng).text, machine)
    lowered(own)
    check_bytes(own.placement, program_of((own.placement,), "laws"))
    check(own.placement)


def check(placement: Placement) -> None:
    """Work is conserved, and in every group nothing is read before it is made."""
    program = program_of((placement,), "laws")
    run = execute(program, skip=False, trace=10**9)
    per_cycle = program.ticks_per_s / placement.arch.clock_hz
    works = step_cost(placement).works.values()
    assert sum(run.busy[unit] for unit in run.busy if unit.startswith(("grid", "line"))) == per_cycle * sum(
        (work.busy_cycles for work in works), Fraction(0)
    )
    for group in placement.plan.groups:
        view = placement.within(group)
        check_flow(view, group, spans_of(view, group, program, run))
    assert execute(program).ticks == run.ticks


def facts(result: Result) -> dict[str, object]:
    """All that a result says but which file it is from."""
    return {key: value for key, value in vars(result).items() if key not in ("provenance", "resolved")}


def test_a_result_does_not_tell_where_a_split_was_said() -> None:
    sizes = {"M": 12, "K": 4, "N": 5, "J": 3}
    split = "split: {m: {m1: rest, m0: 4}}"
    text = (
        "groups:\n  - {{name: one, {}loops: [m1, n], einsums: [Y]}}\n"
        "  - {{name: two, {}loops: [m1, j], einsums: [Z]}}\n"
        "bind: {{grid: [Y], line: [Z]}}\nspatial: {{grid: {{rows: m0}}, line: {{lanes: m0}}}}\n"
        "keep: {{l2: {{tensors: {{A: {{at: m1}}, Z: {{at: m1}}}}}}}}\n"
    )
    said = (
        f"{split}\n{text.format('', '')}",
        text.format(f"{split}, ", f"{split}, "),
        f"{split}\n{text.format(f'{split}, ', '')}",
    )
    for depth in ("analytic", "cycle"):
        ones = [case(sample("chain"), sizes, mapping) for mapping in said]
        first, *others = [simulate(one.arch, one.workload, one.mapping, depth) for one in ones]
        assert all(facts(other) == facts(first) for other in others)
