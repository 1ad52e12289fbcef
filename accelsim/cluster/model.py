"""Systems that run language models, and the models: processors, units in their memory, links, policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.memory.pim import Stack
from accelsim.units.roofline import Roofline
from accelsim.workload import Step


@dataclass(frozen=True)
class Layer:
    """`count` equal layers of a model; `steps` are bound to one sequence of one token."""

    name: str
    count: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Ranks:
    """What the ranks of a model's layers stand for; `expert` and `routed` are None without experts.

    Attributes:
        batch: sequences, one new token each.
        positions: tokens of the cache.
        expert: experts.
        routed: tokens that were sent to an expert.
    """

    batch: str
    positions: str
    expert: str | None
    routed: str | None


@dataclass(frozen=True)
class Model:
    """A language model as layers of workloads.

    Attributes:
        experts_per_token: experts that a token is sent to; 0 without experts.
        shard: ranks that are divided over the devices of a node.
    """

    name: str
    source: str
    layers: tuple[Layer, ...]
    ranks: Ranks
    experts_per_token: int
    shard: tuple[str, ...]


@dataclass(frozen=True)
class Fit:
    """A measured kernel: `latency_s` and so many seconds a byte."""

    latency_s: float
    seconds_per_byte: float


@dataclass(frozen=True)
class Energies:
    """Picojoules of a byte of memory, shared cache, core's cache; of a mac in registers; of a flop. None: not known."""

    memory: float
    shared: float | None
    core: float | None
    register: float | None
    flop: float


@dataclass(frozen=True)
class Processor:
    """One of the equal processors. `fits`: element-wise kernels by one of their Einsums."""

    roofline: Roofline
    capacity_bytes: float
    fits: Mapping[str, Fit]
    energies: Energies


@dataclass(frozen=True)
class Link:
    """Between the devices of a node: a round takes `latency_s` and the time of its bytes.

    Attributes:
        rounds: times devices - 1, of an all-reduce: 2 for a ring.
        energy: pJ of a byte.
    """

    bytes_per_s: float
    latency_s: float
    rounds: int
    energy: float | None


@dataclass(frozen=True)
class Commands:
    """Attention in memory, command by command: so many stacks, which are shared by the processors of a node."""

    stack: Stack
    stacks: int


@dataclass(frozen=True)
class Near:
    """The units in the memory of one device: a roofline, and commands where attention runs command by command.

    Attributes:
        capacity_bytes: memory that only these units have, of a node; 0 where they share the processors'.
        link_bytes_per_s: from a processor to its memory with units, one way; None where they share the memory.
        spaces: parts of the memory that the processor and the units cannot use at once.
        rereads: whether the units read memory for every flop, having no place for weights while tokens pass.
    """

    roofline: Roofline
    commands: Commands | None
    capacity_bytes: float
    link_bytes_per_s: float | None
    spaces: int
    rereads: bool
    memory_energy: float
    flop_energy: float

    @property
    def flops_per_byte(self) -> float:
        return self.roofline.flops_per_s / self.roofline.bytes_per_s


@dataclass(frozen=True)
class Policy:
    """Which unit runs a class of kernels, and how.

    Attributes:
        place: class to processor, near, fastest, shared (both, so that they end together) or greedy (experts only:
            one after another goes to the processor while that helps).
        overlap: `none`, or `heads`: attention of one head beside projections of another.
        prompts: attention of prompts runs `after` that of the next tokens, or `beside` it where that is near.
        experts: `whole`: each on one device; `split`: each over all devices.
        expert_reduces: all-reduces after a layer's experts.
        table_efficiency: of the bandwidth of both units, in the table by which `greedy` decides.
        shared_energy: `each`: of shared kernels each unit's part; `processor`: as if the processor had run them.
    """

    place: Mapping[str, str]
    overlap: str
    prompts: str
    experts: str
    expert_reduces: int
    table_efficiency: float
    shared_energy: str


@dataclass(frozen=True)
class System:
    """Equal devices in equal nodes: a model is divided over the devices of a node, the batch over nodes."""

    name: str
    source: str
    devices: int
    nodes: int
    processor: Processor
    link: Link
    near: Near | None
    policy: Policy

    @property
    def energy_unknown(self) -> tuple[str, ...]:
        """The components whose energy no source gives, so that no sum has it."""
        energies = self.processor.energies
        each = {"shared cache": energies.shared, "core caches": energies.core, "registers": energies.register}
        return tuple(name for name, known in {**each, "link": self.link.energy}.items() if known is None)
