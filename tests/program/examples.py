"""Programs that several tests share: the one-pass cascade's eleven Einsums on two units, and a ring of four."""

from __future__ import annotations

from fractions import Fraction

from accelsim.einsum.ast import Int
from accelsim.program.model import Body, Edge, Loop, Order, Program, Resource, Task, Tree

PE2D = {"QK": 64, "LM": 1, "SLN": 7, "SLD": 1, "SLNV": 64}
PE1D = {"RM": 1, "PRM": 7, "SPD": 1, "SPNV": 64, "RD": 1, "RNV": 64}
ORDER = {
    "pe2d": (("QK", 0), ("LM", 0), ("SLN", 2), ("SLD", 2), ("SLNV", 2)),
    "pe1d": tuple((name, 0) for name in ("RM", "PRM", "SPD", "SPNV", "RD", "RNV")),
}
AFTER = {
    "LM": "QK",
    "RM": "LM RM-",
    "SLN": "QK RM",
    "SLD": "SLN",
    "SLNV": "SLN",
    "PRM": "RM RM-",
    "SPD": "PRM RD-",
    "RD": "SLD SPD",
    "SPNV": "PRM RNV-",
    "RNV": "SLNV SPNV",
}
NAMES = ("QK", "LM", "RM", "SLN", "SLD", "SLNV", "PRM", "SPD", "RD", "SPNV", "RNV")


def attention(
    m1: int, p1: int = 1, *, in_flight: int = 1, order: Order = "oldest", latency: int = 256, e: int = 64
) -> Program:
    """Tiles of keys m1 outside, tiles of queries p1 inside; what is carried along m1 is carried for each p1."""
    cycles = {name: e if ticks == 64 else ticks for name, ticks in {**PE2D, **PE1D}.items()}
    tasks = tuple(
        Task(
            name,
            (("pe2d" if name in PE2D else "pe1d", 1),),
            Int(cycles[name]),
            Int(latency if name == "LM" else 0),
            after=tuple(
                Edge(source.rstrip("-"), (("m1", 1),) if source.endswith("-") else ())
                for source in AFTER.get(name, "").split()
            ),
        )
        for name in NAMES
    )
    resources = tuple(
        Resource(name, order=order, static=items if order == "static" else ()) for name, items in ORDER.items()
    )
    root: Tree = Loop("p1", Int(p1), Body(tasks, in_flight))
    return Program("attention", Fraction(940_000_000), resources, Loop("m1", Int(m1), root))


def ring(layers: int, batches: int, ticks: tuple[int, int, int, int], order: Order = "fifo") -> Program:
    """Attention, network, experts, network: `batches` microbatches go round `layers` times. A tick is 0.1 us."""
    names = ("A", "N1", "F", "N2")
    tasks = tuple(
        Task(name, ((name.lower(), 1),), Int(t), after=(Edge(names[i - 1], (("i", batches),) if i == 0 else ()),))
        for i, (name, t) in enumerate(zip(names, ticks, strict=True))
    )
    resources = tuple(Resource(name.lower(), order=order) for name in names)
    root = Loop("i", Int(layers * batches), Body(tasks, batches))
    return Program("ring", Fraction(10_000_000), resources, root)
