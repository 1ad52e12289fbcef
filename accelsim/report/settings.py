"""The `report:` block of a sweep file: what is compared with what, and which published numbers stand beside ours.

    report:
      baseline: plain                     # the design that ratios refer to
      archs: [plain, fused, wide]         # order of the figures and of the ablation ladder; the baseline is one of them
      labels: {plain: Plain, fused: +Fusion}        # of architectures and workloads; a name without one is its own
      size: L                             # the key of a point's `set` that figures have on their x axis
      size_label: sequence length
      focus: 65536                        # the size of the figures that show only one
      scopes:                             # workloads that are averaged together
        attention: {label: attention only, workloads: [bert]}
      overlays:                           # other assumptions: an architecture and what stands for it
        measured: {label: as measured, archs: {plain: plain-measured}}
      headlines:
        - {quantity: speedup, arch: wide, over: plain, scope: attention, sizes: [1024], mean: arithmetic,
           published: 6.7, overlay: measured, source: where it is printed}

Everything may be left out; what is then taken is what the rows hold (`study.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.errors import AccelsimError, nearest
from accelsim.explore import Sweep
from accelsim.report.means import KINDS
from accelsim.yamlfile import NAME, Node

QUANTITIES = ("speedup", "energy")
FIELDS = ("baseline", "archs", "labels", "size", "size_label", "focus", "scopes", "overlays", "headlines")


@dataclass(frozen=True)
class Scope:
    """Workloads whose points are shown together and averaged together."""

    name: str
    label: str
    workloads: tuple[str, ...]


@dataclass(frozen=True)
class Overlay:
    """Another set of assumptions: the architecture that stands for each; one not named stands for itself."""

    name: str
    label: str
    archs: Mapping[str, str]

    def arch(self, name: str) -> str:
        return self.archs.get(name, name)


BASE = Overlay("base", "our assumptions", {})


@dataclass(frozen=True)
class Headline:
    """One averaged ratio: time of `over` over time of `arch` (speedup), energy of `arch` over that of `over` (energy).

    Attributes:
        sizes: the sizes averaged over; all of them where empty.
        mean: the mean that is quoted; `published` (None: none) is of that mean and stands in `source`.
        overlay: the assumptions under which the published number was obtained.
    """

    quantity: str
    arch: str
    over: str
    scope: str
    sizes: tuple[int, ...]
    mean: str
    published: float | None
    overlay: str
    source: str


@dataclass(frozen=True)
class Settings:
    """The block as it was read; None and empty where it says nothing."""

    baseline: str | None = None
    archs: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    size: str | None = None
    size_label: str = ""
    focus: int | None = None
    scopes: tuple[Scope, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    headlines: tuple[Headline, ...] = ()


def read_settings(sweep: Sweep) -> Settings:
    """The `report:` block of a sweep. Raises AccelsimError for what the block misnames."""
    block = sweep.resolved.mapping().get("report")
    if block is None or block.value is None:
        return Settings()
    fields = block.fields((), FIELDS)
    archs = _texts(fields.get("archs"))
    scopes = tuple(_scope(name, node) for name, node in _entries(fields.get("scopes")).items())
    overlays = tuple(_overlay(name, node, archs) for name, node in _entries(fields.get("overlays")).items())
    return Settings(
        baseline=_one_of(fields["baseline"], archs) if "baseline" in fields else None,
        archs=archs,
        labels={name: node.string() for name, node in _entries(fields.get("labels")).items()},
        size=fields["size"].string() if "size" in fields else None,
        size_label=fields["size_label"].string() if "size_label" in fields else "",
        focus=fields["focus"].positive_integer() if "focus" in fields else None,
        scopes=scopes,
        overlays=overlays,
        headlines=tuple(_headline(n, archs, scopes, overlays) for n in _items(fields.get("headlines"))),
    )


def _entries(node: Node | None) -> Mapping[str, Node]:
    return {} if node is None else node.mapping()


def _items(node: Node | None) -> tuple[Node, ...]:
    return () if node is None else node.sequence()


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple(item.string() for item in _items(node))


def _one_of(node: Node, known: tuple[str, ...]) -> str:
    """A text that is one of `known`; any text where nothing is known."""
    text = node.string()
    if known and text not in known:
        raise AccelsimError(f'{node.path}: unknown name "{text}"{nearest(text, known)}', node.mark)
    return text


def _scope(name: str, node: Node) -> Scope:
    if not NAME.fullmatch(name):
        raise node.error(f'a scope must have a name of letters, digits and "_.,+-", not "{name[:40]}"')
    fields = node.fields(("workloads",), ("label",))
    workloads = _texts(fields["workloads"])
    if not workloads:
        raise fields["workloads"].expected("a list of at least one workload")
    return Scope(name, fields["label"].string() if "label" in fields else name, workloads)


def _overlay(name: str, node: Node, archs: tuple[str, ...]) -> Overlay:
    fields = node.fields(("archs",), ("label",))
    replaced = fields["archs"].mapping()
    for arch, place in replaced.items():
        if archs and arch not in archs:
            raise place.error(f'unknown name "{arch}"{nearest(arch, archs)}')
    label = fields["label"].string() if "label" in fields else name
    return Overlay(name, label, {arch: place.string() for arch, place in replaced.items()})


def _headline(node: Node, archs: tuple[str, ...], scopes: tuple[Scope, ...], overlays: tuple[Overlay, ...]) -> Headline:
    fields = node.fields(("quantity", "arch", "over", "scope"), ("sizes", "mean", "published", "overlay", "source"))
    known = (BASE.name, *(overlay.name for overlay in overlays))
    return Headline(
        quantity=_one_of(fields["quantity"], QUANTITIES),
        arch=_one_of(fields["arch"], archs),
        over=_one_of(fields["over"], archs),
        scope=_one_of(fields["scope"], tuple(scope.name for scope in scopes)),
        sizes=tuple(item.positive_integer() for item in _items(fields.get("sizes"))),
        mean=_one_of(fields["mean"], KINDS) if "mean" in fields else KINDS[0],
        published=float(fields["published"].number()) if "published" in fields else None,
        overlay=_one_of(fields["overlay"], known) if "overlay" in fields else BASE.name,
        source=fields["source"].string() if "source" in fields else "",
    )
