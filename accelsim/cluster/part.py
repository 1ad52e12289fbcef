"""One function of a layer on one device: its sizes there, its kernels, and what class each is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from accelsim.cluster.kernels import Kernel, Plan, fused_plan, plans_of, tensor_of
from accelsim.cluster.model import Model, System
from accelsim.workload import Step


@dataclass(frozen=True)
class Batch:
    """What a step works on: `sequences` with `length` tokens in the cache each, the new one included.

    `prompts` of `prompt` tokens each are taken in beside them, in whole.
    """

    sequences: int
    length: int
    prompts: int = 0
    prompt: int = 0

    @property
    def tokens(self) -> int:
        return self.sequences + self.prompts * self.prompt


@dataclass(frozen=True)
class Part:
    """A function of a layer, as one device has it."""

    system: System
    model: Model
    step: Step

    @property
    def has_cache(self) -> bool:
        return self.model.ranks.positions in self.step.shapes.sizes

    @property
    def has_experts(self) -> bool:
        return self.model.ranks.routed in self.step.shapes.sizes

    @property
    def experts(self) -> int:
        """Of the whole layer."""
        return self.step.shapes.sizes[self.model.ranks.expert] if self.model.ranks.expert else 0

    def kernels(self, tokens: int, length: int = 1) -> tuple[Kernel, ...]:
        """Of so many tokens, each with a cache of its own; of one expert with so many tokens."""
        sizes = self._sizes(tokens, length)
        return tuple(plan.kernel(sizes) for plan in self._plans)

    @cached_property
    def _plans(self) -> tuple[Plan, ...]:
        return plans_of(self.step.shapes.cascade, self.step.types)

    def class_of(self, kernel: Kernel) -> str:
        """`attention` touches the cache; a product is of the `projection` before and behind it, or of the `ffn`."""
        if self.model.ranks.positions in kernel.ranks:
            return "attention"
        if kernel.product is None:
            return "elementwise"
        return "projection" if self.has_cache else "ffn"

    def attention_kernels(self, tokens: int, length: int) -> list[Kernel]:
        return [kernel for kernel in self.kernels(tokens, length) if self.class_of(kernel) == "attention"]

    def fused_attention(self, tokens: int, length: int) -> Kernel:
        """Attention as one kernel that keeps scores and weights to itself."""
        return self._fused_attention.kernel(self._sizes(tokens, length))

    @cached_property
    def _fused_attention(self) -> Plan:
        names = [name for kernel in self.attention_kernels(1, 1) for name in kernel.einsums]
        return fused_plan(self.step.shapes.cascade, self.step.types, names)

    def cache_bytes(self, tokens: int, length: int) -> float:
        """Keys and values of so many sequences."""
        cascade = self.step.shapes.cascade
        return self._bytes(tokens, length, [n for n in cascade.inputs if self._has(n, self.model.ranks.positions)])

    def new_cache_bytes(self, tokens: int) -> float:
        """Keys and values of the new tokens: outputs that are divided over the devices."""
        cascade = self.step.shapes.cascade
        return self._bytes(tokens, 1, [name for name in cascade.outputs if self._has(name, *self.model.shard)])

    def weight_bytes(self) -> float:
        """Inputs that do not depend on tokens, of all experts that the device has."""
        ranks, cascade = self.model.ranks, self.step.shapes.cascade
        ours = [n for n in cascade.inputs if not self._has(n, ranks.batch, ranks.positions, ranks.routed)]
        size = self._bytes(1, 1, ours)
        if not self.has_experts:
            return size
        return size * (self.experts if self.system.policy.experts == "split" else self.experts / self.system.devices)

    def token_bytes(self) -> float:
        """Of a token between layers: what the last kernel writes of one."""
        return self.kernels(1)[-1].written_bytes

    def _bytes(self, tokens: int, length: int, names: Sequence[str]) -> float:
        sizes, cascade = self._sizes(tokens, length), self.step.shapes.cascade
        return sum(tensor_of(cascade, self.step.types, name).bytes(sizes) for name in names)

    def _has(self, tensor: str, *ranks: str | None) -> bool:
        return bool(set(self.step.shapes.cascade.tensors[tensor]) & set(ranks))

    def _sizes(self, tokens: int, length: int) -> dict[str, int]:
        ranks, sizes = self.model.ranks, dict(self.step.shapes.sizes)
        said = {ranks.batch: tokens, ranks.positions: length, ranks.routed: tokens}
        if self.has_experts:
            said[ranks.expert] = 1
        sizes |= {rank: size for rank, size in said.items() if rank is not None and rank in sizes}
        if not self.has_experts or self.system.policy.experts == "split":
            divided = (rank for rank in self.model.shard if rank in sizes)
            sizes |= {rank: ceil(sizes[rank] / self.system.devices) for rank in divided}
        return sizes
