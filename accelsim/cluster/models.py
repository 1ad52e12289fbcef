"""YAML to a model: layers that are workloads, and what their ranks stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from accelsim.cluster.model import Layer, Model, Ranks
from accelsim.errors import AccelsimError, nearest
from accelsim.schema import check_schema
from accelsim.shipped import find_file
from accelsim.workload import load_workload, parameter_names, steps
from accelsim.yamlfile import Node, load_file

MODELS = "clusters/models"


def load_model(name: str) -> Model:
    """A model, by path or shipped name.

    Raises:
        AccelsimError: an unknown name, a layer that is no workload, a rank that no layer has, experts without tokens.
    """
    document = load_file(find_file(name, MODELS, "model"))
    check_schema(document, "model")
    entries = document.fields(
        ("schema", "name", "description", "source", "layers", "ranks", "experts_per_token", "shard")
    )
    nodes = entries["ranks"].fields(("batch", "positions"), ("expert", "routed"))
    read = {key: node.name() for key, node in nodes.items()}
    if len(nodes) == 3:
        raise entries["ranks"].error("expert and routed go together")
    ranks = Ranks(read["batch"], read["positions"], read.get("expert"), read.get("routed"))
    parts = [node.fields(("workload", "count")) for node in entries["layers"].sequence()]
    if not parts:
        raise entries["layers"].expected("one layer or more")
    _check_set([nodes[key] for key in ("batch", "positions", "routed") if key in nodes], parts)
    layers = tuple(_layer(fields, ranks) for fields in parts)
    shard = entries["shard"].sequence()
    _check_known((*nodes.values(), *shard), layers)
    _check_shard(shard, ranks)
    return Model(
        name=entries["name"].name(),
        source=entries["source"].string(),
        layers=layers,
        ranks=ranks,
        experts_per_token=_per_token(entries["experts_per_token"], ranks, layers),
        shard=tuple(node.name() for node in shard),
    )


def _check_set(named: Iterable[Node], layers: Iterable[Mapping[str, Node]]) -> None:
    """A step sets these sizes: each is a parameter of a layer, named as its rank, in capitals."""
    known = {parameter for fields in layers for parameter in _parameters(fields["workload"])}
    for node in named:
        if node.name().upper() not in known:
            raise node.error(f'no layer has a parameter "{node.name().upper()}" for it{nearest(node.text, known)}')


def _parameters(workload: Node) -> tuple[str, ...]:
    try:
        return parameter_names(workload.string())
    except AccelsimError as error:
        raise error if error.mark else workload.error(error.message) from None


def _check_known(named: Iterable[Node], layers: Sequence[Layer]) -> None:
    known = {rank for layer in layers for step in layer.steps for rank in step.shapes.sizes}
    for node in named:
        if node.name() not in known:
            raise node.error(f'no layer has a rank "{node.name()}"{nearest(node.name(), sorted(known))}')


def _check_shard(shard: Sequence[Node], ranks: Ranks) -> None:
    for node in shard:
        if node.name() in (ranks.batch, ranks.positions, ranks.routed):
            raise node.expected("a rank of weights, since devices have all tokens")


def _per_token(node: Node, ranks: Ranks, layers: Sequence[Layer]) -> int:
    """0 without experts, else no more than any layer has."""
    value = node.integer()
    of_steps = (step.shapes.sizes for layer in layers for step in layer.steps)
    most = min((sizes[ranks.expert] for sizes in of_steps if ranks.expert and ranks.expert in sizes), default=0)
    if not min(1, most) <= value <= most:
        raise node.expected(f"from 1 to {most}, the experts of a layer" if most else "0, since no layer has experts")
    return value


def _layer(fields: Mapping[str, Node], ranks: Ranks) -> Layer:
    """A layer bound to one token."""
    name = fields["workload"].string()
    ours = [rank.upper() for rank in (ranks.batch, ranks.positions, ranks.routed) if rank]
    known = _parameters(fields["workload"])
    workload = load_workload(name, [f"{parameter}=1" for parameter in ours if parameter in known])
    return Layer(name, fields["count"].positive_integer(), steps(workload))
