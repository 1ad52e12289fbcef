"""Both sides of an approximation: how far its results lie from the exact ones, and what it saves for that."""

from accelsim.fidelity.compare import Effort, Fidelity, fidelities, fidelity, score_fidelities, score_fidelity
from accelsim.fidelity.exact import exact_of
from accelsim.fidelity.scores import Scores

__all__ = [
    "Effort",
    "Fidelity",
    "Scores",
    "exact_of",
    "fidelities",
    "fidelity",
    "score_fidelities",
    "score_fidelity",
]
