"""A matrix product in memory: weights lie sliced over all channels, and are read once for all tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.memory.model import Integers
from accelsim.memory.pim_layout import BETWEEN, Matrix, check_elements, check_macs, in_step
from accelsim.memory.pim_model import Stack, with_queries
from accelsim.memory.pim_run import Run, run_channels


@dataclass(frozen=True)
class Gemm:
    """`tokens` x `inputs` times weights of `inputs` x `outputs`."""

    tokens: int
    inputs: int
    outputs: int
    element_bytes: int

    @property
    def products(self) -> int:
        return self.tokens * self.inputs * self.outputs


def run_gemm(stack: Stack, work: Gemm) -> Run:
    """Issue the commands of all channels; `lengths` of a channel are the columns of the weights that it holds.

    A column lies as a key does, its inputs over the level's `head_dim` and columns over `length`. Inputs come first;
    then columns are multiplied one after the other, a MAC with all tokens, and results move beside the MACs after them.

    Raises:
        AccelsimError: elements that do not fit a burst, weights that do not fit the stack, no tokens or too many for
            the limit of power, or more than 2**25 MACs of a channel.
    """
    check_elements(stack, work.element_bytes)
    stack = with_queries(stack, work.tokens, "m")
    each, rest = divmod(work.outputs, stack.channels)
    columns = [each + (channel < rest) for channel in range(stack.channels)]
    return run_channels(
        stack, [(count,) if count else () for count in columns], lambda one: _commands(stack, work, *one)
    )


def _commands(stack: Stack, work: Gemm, columns: int) -> Integers:
    matrix = Matrix(stack, columns, work.inputs, work.element_bytes, work.tokens)
    if matrix.rows > stack.rows:
        raise AccelsimError(f"n: the weights need {matrix.rows} rows of each bank, and there are {stack.rows}")
    check_macs("n", matrix.reads)
    return np.concatenate([matrix.inputs(), BETWEEN, *in_step(matrix.times_vectors(0))])
