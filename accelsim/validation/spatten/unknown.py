"""What cannot be derived from what was published, so that no number of ours stands beside it."""

from __future__ import annotations

from accelsim.validation.table import Table

ROWS = (
    ("ratios of pruning by task", "only means over 30 tasks and two traces of GPT-2: no task of BERT can be run"),
    ("lengths of BERT's sentences", "means of development sets, not listed"),
    ("speed and energy by task", "bars of figures without numbers"),
    (
        "times on Xeon, Nano, Raspberry Pi",
        "ratios of 30 tasks only; end to end for GPT-2-Medium on Xeon includes linear layers",
    ),
    ("power of TITAN Xp by task", "follows from means of ratios only"),
    ("power and area by module", "a pie chart; top-k alone is given, 1.0 % and 2.7 %"),
    ("energy of an operation", "never given; ours are of other sources"),
    ("tasks of the comparison with A3 and MNNFast", "not said"),
    ("curves over comparators and SRAM", "figures without numbers; 16 lanes and 196 KB are where they end to rise"),
    ("power of the sorter", "3.5 times that of the engine, neither given"),
    ("cycles of the whole machine's RTL", "the release was run at an eighth; its top-k engine does not elaborate"),
    ("cycles with top-k of the behavioural simulator", "reads past its data: two runs differ"),
    ("accuracy after pruning", "no models or scripts; error against cost is `accelsim.fidelity`, on data of ours"),
)


def table() -> Table:
    """Each, and why."""
    return Table("What cannot be derived from what was published", ("what", "why"), ROWS)
