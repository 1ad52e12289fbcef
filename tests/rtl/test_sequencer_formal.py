"""Proofs of the sequencer, each claim with a variant that breaks it, and faults on purpose that the bench must find."""

from __future__ import annotations

from functools import cache

import pytest

from accelsim.hardware.sequencer import UNIT, build
from accelsim.program.instruction import QUEUES
from rtl.bench import Case, sweep
from rtl.formal import Properties, check_ready_paths, prove
from rtl.layer.sequencer import Sequencer
from rtl.layer.stub import SequencerBench
from rtl.mutation import mutants, run_mutants, run_variants
from tests.rtl.blocks import SEED
from tests.rtl.sequencer_cases import counting_cases, overflow_cases, shared_cases, unknown_cases, wide_cases
from tests.rtl.sequencer_claims import counts_tokens, covers_everything, enters_somewhere, keeps_stream_rules, only
from tests.rtl.sequencer_faults import (
    SMALL,
    TIMING,
    Blind,
    Crowded,
    Early,
    Impatient,
    LateCount,
    LateLook,
    LateStart,
    Leaking,
    Lossy,
    Noisy,
    Open,
    Sharing,
    Withdrawn,
    Wrapping,
    variants,
)

pytestmark = pytest.mark.slow

ONE = dict.fromkeys(QUEUES, 1)  # completions
PATIENCE_S = 600
DEPTH, BITS = 2, 1  # of a queue, of a semaphore: the smallest at which everything can happen


@pytest.mark.parametrize("claims", [keeps_stream_rules, counts_tokens, enters_somewhere])
def test_claims_hold_in_all_runs(claims: Properties) -> None:
    assert prove(Sequencer(DEPTH, ONE, BITS), claims, 1, timeout_s=PATIENCE_S, solver="bits").holds


def test_claims_speak_of_runs_that_exist() -> None:
    """Starts that waited, HALT, every error, an overflow among them, and a second program."""
    assert prove(Sequencer(DEPTH, ONE, BITS), covers_everything, 14, "cover").holds
    assert prove(Sequencer(DEPTH, ONE, BITS), enters_somewhere, 5, "cover").holds


def test_no_path_from_ready_to_valid() -> None:
    check_ready_paths(Sequencer(DEPTH, ONE, BITS))
    check_ready_paths(Sequencer())


BROKEN: list[tuple[type[Sequencer], Properties, str]] = [
    (Blind, counts_tokens, "semaphore_0_is_not_taken_at_0"),
    (Lossy, counts_tokens, "semaphore_0_is_exact"),
    (LateCount, counts_tokens, "semaphore_0_is_exact"),
    (LateLook, counts_tokens, "array_starts_at_once"),
    (LateStart, counts_tokens, "running_is_free"),
    (Wrapping, counts_tokens, "overflow_is_known"),
    (Open, counts_tokens, "closed_behind_halt"),
    (Noisy, counts_tokens, "running_is_free"),
    (Crowded, enters_somewhere, "queued_or_refused"),
    (Sharing, counts_tokens, "array_0_waits_for_its_own"),
    (Leaking, counts_tokens, "next_begins_from_nothing"),
    (Early, counts_tokens, "ends_with_nothing_left"),
    (Wrapping, keeps_stream_rules, "start_load_keeps"),
    (Sharing, keeps_stream_rules, "start_load_keeps"),
    (Impatient, keeps_stream_rules, "start_array_keeps"),
    (Withdrawn, keeps_stream_rules, "status_keeps"),
]


@pytest.mark.parametrize(("kind", "claims", "broken"), BROKEN, ids=[f"{row[0].__name__} {row[2]}" for row in BROKEN])
def test_a_broken_variant_is_refuted(kind: type[Sequencer], claims: Properties, broken: str) -> None:
    """By a run from reset, which the sequencer itself, that the claim holds for, cannot make."""
    proof = prove(kind(DEPTH, ONE, BITS), only(broken, claims), 6, "bounded")
    assert (proof.verdict, proof.broken) == ("refuted", (broken,))


# Faults on purpose.


@cache
def random_cases() -> list[Case]:
    return sweep(UNIT.under_test, [SMALL], SEED)


def test_every_fault_made_by_hand_is_found() -> None:
    report = run_variants(build(SMALL), variants(), random_cases())
    assert [mutant.name for mutant in report.survivors] == []
    found = {mutant.name: mutant.found for mutant in report.mutants}
    assert len(found) >= 10
    assert all("output at edge" in found[kind.__name__] or " is 0x" in found[kind.__name__] for kind in TIMING)


def all_cases() -> list[Case]:
    every = random_cases()
    device = every[0].device
    return [
        *every,
        *wide_cases(SMALL, device),
        *shared_cases(device),
        *unknown_cases(device),
        *overflow_cases(SMALL, device),
        *counting_cases(SMALL, device),
    ]


DURATION_BITS = 6
SURVIVORS = {
    "cnot1 of sequencer.semaphore_2 bit 3, at port Q bit 3 of $flatten\\sequencer.$1978": (
        "from 128 tokens on, where eight too many at one edge are eight too few at the next: at the end it is full"
    ),
}
"""Faults that no run here shows, each with the reason."""


def test_nine_of_ten_drawn_faults_are_found() -> None:
    bench = SequencerBench(SMALL.depth, SMALL.slots, DURATION_BITS)
    report = run_mutants(mutants(bench, 30, SEED, "sequencer_small"), all_cases())
    assert len(report.mutants) == 30
    assert report.share >= 0.9
    assert {mutant.name for mutant in report.survivors} == set(SURVIVORS)
