"""Parameters that every top-k engine has, checked, and the payloads of its streams."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.lib import data

from accelsim.errors import AccelsimError
from rtl.block import check_size
from rtl.pipeline import check_stages

MOST_LANES = 64
WIDEST_SCORE = 48
WIDEST_NAME = 32  # an index or a tag
MOST_SCORES = 1 << 16


@dataclass(frozen=True)
class TopkForm:
    """What every engine has. Scores are integers without a sign; indices and tags are carried along.

    Attributes:
        score_bits: bits of a score.
        index_bits: bits of what names a score.
        input_lanes: scores of a beat, going in and coming out; a power of two.
        lanes: scores that are compared at an edge; a power of two, `input_lanes` or more.
        most: scores of a job.
        tag_bits: bits of what names a job.

    Raises:
        AccelsimError: a parameter out of range, lanes that are no powers of two or fewer than those of the input.
    """

    score_bits: int = 12
    index_bits: int = 6
    input_lanes: int = 4
    lanes: int = 8
    most: int = 64
    tag_bits: int = 4

    def __post_init__(self) -> None:
        check_size("score_bits", self.score_bits, 1, WIDEST_SCORE)
        check_size("index_bits", self.index_bits, 1, WIDEST_NAME)
        check_size("input_lanes", self.input_lanes, 1, MOST_LANES)
        check_size("lanes", self.lanes, 1, MOST_LANES)
        check_size("most", self.most, 1, MOST_SCORES)
        check_size("tag_bits", self.tag_bits, 1, WIDEST_NAME)
        for name in ("input_lanes", "lanes"):
            lanes = getattr(self, name)
            if lanes & (lanes - 1):
                raise AccelsimError(f'{name}: must be a power of two, got "{lanes}"')
        if self.lanes < self.input_lanes:
            raise AccelsimError(f'lanes: must be at least the {self.input_lanes} of the input, got "{self.lanes}"')

    @property
    def input_rows(self) -> int:
        """Beats of the longest job."""
        return -(-self.most // self.input_lanes)

    @property
    def rows(self) -> int:
        """Rows of `lanes` scores of the longest job."""
        return -(-self.most // self.lanes)


@dataclass(frozen=True)
class TopkStages:
    """Registers behind the comparisons of a row with a threshold, and behind the network that closes its gaps."""

    compare_stages: int = 1
    close_stages: int = 1

    def __post_init__(self) -> None:
        check_stages(self)


def command_layout(form: TopkForm) -> data.StructLayout:
    """`k`: how many scores to keep, all where there are no more; `tag`: what names the job."""
    return data.StructLayout({"k": range(form.most + 1), "tag": form.tag_bits})


def scores_layout(form: TopkForm) -> data.StructLayout:
    """A beat: `score` and `index` of each lane, of which the first `count` mean something; `last` of the job."""
    return data.StructLayout(
        {
            "score": data.ArrayLayout(form.score_bits, form.input_lanes),
            "index": data.ArrayLayout(form.index_bits, form.input_lanes),
            "count": range(form.input_lanes + 1),
            "last": 1,
        }
    )


def kept_layout(form: TopkForm) -> data.StructLayout:
    """What is kept, as `scores_layout` has it, and the `tag` of its job.

    Every beat is full but the last, in which the lanes that are left are 0; for nothing there is one with `count` 0.
    """
    return data.StructLayout({**dict(_fields(scores_layout(form))), "tag": form.tag_bits})


def _fields(layout: data.StructLayout) -> list[tuple[str, object]]:
    return [(str(name), field.shape) for name, field in layout]
