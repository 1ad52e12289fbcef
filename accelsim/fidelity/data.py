"""What both sides of a comparison are evaluated on: arrays from files, or scores that are drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError, Mark
from accelsim.fidelity.arrays import check_all_given, checked, read_array, read_inputs
from accelsim.fidelity.compare import Fidelity, fidelities, score_fidelities
from accelsim.fidelity.scores import Floats, Scores, score_shape
from accelsim.workload import Workload, steps

VALUES = "V"
DRAWN = "scores drawn: normal of standard deviation {spread:g}, {shared:g} of the variance a key's own, seed {seed}"


@dataclass(frozen=True)
class Data:
    """All inputs; or scores, from a file or drawn, and perhaps values.

    Attributes:
        scores: None where `inputs` holds all inputs.
        files: those that were read, each with the SHA-256 of its bytes.
    """

    inputs: Mapping[str, Floats]
    scores: Floats | Scores | None
    files: Mapping[str, str]

    def compared(self, ones: Sequence[Workload], exact: Workload) -> list[tuple[Fidelity, ...]]:
        """Error and cost of each workload; see `fidelities` and `score_fidelities`."""
        if self.scores is None:
            return fidelities(ones, exact, self.inputs)
        return score_fidelities(ones, exact, self.scores, self.inputs.get(VALUES))

    def to_json(self) -> dict[str, object]:
        drawn = asdict(self.scores) if isinstance(self.scores, Scores) else None
        return {"drawn": drawn, "files": dict(self.files)}

    def says(self) -> str:
        """In words, where the data come from."""
        drawn = [DRAWN.format(**asdict(self.scores))] if isinstance(self.scores, Scores) else []
        values = (
            [] if self.scores is None or VALUES in self.inputs else ["values drawn: normal of standard deviation 1"]
        )
        files = [f"data from {', '.join(self.files)}"] if self.files else []
        return "; ".join([*drawn, *values, *files])


def read_data(workload: Workload, said: Sequence[str], scores: str | None, draws: Mapping[str, Any]) -> Data:
    """What a workload of one step is evaluated on.

    Args:
        said: inputs as `read_inputs` takes them: all, or beside scores none or V.
        scores: an .npy file of shape (layer, head, query, key); None: drawn, unless all inputs are said.
        draws: fields of `Scores`; the seed is 0 where it is not among them.

    Raises:
        AccelsimError: as `read_inputs`; inputs that are missing, or more than is read.
    """
    step = steps(workload)[0]
    shapes = {name: step.shapes.shapes[name] for name in step.shapes.cascade.inputs}
    inputs = read_inputs(said, shapes)
    files = _hashes([*said, *([scores] if scores else [])])
    for name in draws if scores or set(inputs) - {VALUES} else ():
        raise AccelsimError("is of scores that are drawn, and the data are given", Mark(f"--{name}", 1, 1))
    if scores:
        if set(inputs) - {VALUES}:
            raise AccelsimError(f"of inputs only {VALUES} is read where scores are given", Mark("--inputs", 1, 1))
        given = checked(read_array(Path(scores)), score_shape(step), "scores", scores)
        return Data(inputs, given, files)
    if set(inputs) - {VALUES}:
        check_all_given(inputs, shapes)
        return Data(inputs, None, files)
    return Data(inputs, Scores(**{"seed": 0, **draws}), files)


def _hashes(said: Sequence[str]) -> dict[str, str]:
    names = [text.partition("=")[2] or text for text in said]
    return {name: hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in names if Path(name).is_file()}
