"""`accelsim cluster`: a language model on a whole system: seconds and energy of a step, or what users wait for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelsim.commands.reply import Reply
from accelsim.errors import AccelsimError, Mark
from accelsim.overrides import split_override

if TYPE_CHECKING:
    from accelsim.cluster import Decoding, Model, Served, System, Traffic

HELP = "a language model on a whole system: processors, units in their memory, links; decoding or serving"
COUNTS = ("sequences", "length", "prompt", "output", "requests", "seed")
NUMBERS = ("spread", "per_s")
PERCENTILES = (50, 90, 99)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("system", metavar="CLUSTER", help="a path or a shipped name: see accelsim list clusters")
    parser.add_argument(
        "--model", required=True, metavar="MODEL", help="a path or a shipped name: gpt3-175b, glam, ..."
    )
    parser.add_argument(
        "--against", metavar="CLUSTER", help="another system, whose seconds and energy ours are compared to"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="sequences at once; length of their caches, or prompt and output (the mean over the answer); requests, to "
        "serve so many with continuous batching, with spread (of the lengths: 0), per_s (arrivals; none: a closed "
        "loop) and seed (1); or a path in the system's file (link.rounds); may be repeated",
    )


@dataclass(frozen=True)
class Asked:
    """What is said of the load; None is not said."""

    sequences: int | None = None
    length: int | None = None
    prompt: int | None = None
    output: int | None = None
    requests: int | None = None
    seed: int | None = None
    spread: float | None = None
    per_s: float | None = None


def run(arguments: argparse.Namespace) -> Reply:
    from accelsim.cluster import load_model, load_system

    asked, paths = _asked(arguments.overrides)
    model = load_model(arguments.model)
    document = _document(load_system(arguments.system, paths), model, asked)
    if arguments.against:
        document["against"] = _compared(document, _document(load_system(arguments.against), model, asked))
    return Reply(_text(document), document)


def _asked(overrides: Sequence[str]) -> tuple[Asked, list[str]]:
    said: dict[str, Any] = {}
    paths = []
    for text in overrides:
        key, node = split_override(text)
        if key in COUNTS:
            said[key] = node.positive_integer()
        elif key in NUMBERS:
            said[key] = float(node.number())
        else:
            paths.append(text)
    asked = Asked(**said)
    _check(asked)
    return asked, paths


def _check(asked: Asked) -> None:
    place = Mark("--set", 1, 1)
    if asked.sequences is None:
        raise AccelsimError("sequences: must be given: how many run at once: --set sequences=64", place)
    if (asked.length is None) == (asked.prompt is None):
        raise AccelsimError("give one of length (of the caches) and prompt (with output)", place)
    if (asked.prompt is None) != (asked.output is None):
        raise AccelsimError("prompt and output go together", place)
    if asked.requests and asked.prompt is None:
        raise AccelsimError("requests: need prompt and output", place)
    idle = [name for name in ("spread", "per_s", "seed") if getattr(asked, name) is not None and not asked.requests]
    if idle:
        raise AccelsimError(f"{idle[0]}: says something of requests, of which none are asked for", place)


def _document(system: System, model: Model, asked: Asked) -> dict[str, object]:
    from accelsim.cluster import decode, room, serve

    assert asked.sequences is not None
    prompt, output = asked.prompt or 0, asked.output or 0
    longest = asked.length or prompt + output
    room_ = room(system, model, longest)
    document: dict[str, object] = {
        "schema": 1,
        "kind": "cluster",
        "cluster": system.name,
        "model": model.name,
        "sequences": asked.sequences,
        "weights_bytes": room_.weights,
        "cache_bytes": room_.cache * asked.sequences,
        "capacity_bytes": room_.capacity,
        "sequences_that_fit": room_.most,
        "energy_unknown": list(system.energy_unknown),
    }
    if asked.requests:
        return document | _served(serve(system, model, _traffic(asked, prompt, output)))
    lengths = (asked.length, asked.length) if asked.length else (prompt + 1, prompt + max(1, output - 1))
    return document | _decoded(decode(system, model, asked.sequences, lengths))


def _traffic(asked: Asked, prompt: int, output: int) -> Traffic:
    from accelsim.cluster import Traffic

    assert asked.sequences is not None
    assert asked.requests is not None
    spread, seed = asked.spread or 0.0, asked.seed or 1
    return Traffic(asked.sequences, prompt, output, spread, asked.per_s, asked.requests, seed)


def _decoded(decoding: Decoding) -> dict[str, object]:
    return {
        "seconds": decoding.seconds,
        "tokens_per_s": decoding.tokens_per_s,
        "seconds_by": dict(decoding.seconds_by),
        "energy_pj": decoding.energy_pj,
        "energy_pj_per_token": decoding.energy_pj / decoding.sequences,
        "energy_by": dict(decoding.energy_by),
        "bound_by": max(decoding.seconds_by, key=lambda name: decoding.seconds_by[name]),
    }


def _served(served: Served) -> dict[str, object]:
    waits = {
        "between_tokens_s": served.between_tokens_s,
        "first_token_s": served.first_token_s,
        "request_s": served.whole_s,
    }
    return {
        "sequences": served.sequences,
        "seconds": served.seconds,
        "tokens_per_s": served.tokens_per_s,
        "stages": served.stages,
        "mixed_stages": served.mixed_stages,
        **{name: _percentiles(values) for name, values in waits.items()},
        "energy_pj_per_token": served.energy_pj_per_token,
        "energy_by": dict(served.energy_by),
    }


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    import numpy as np

    if not values:
        return dict.fromkeys(("mean", *(f"p{at}" for at in PERCENTILES)))
    found = np.percentile(values, PERCENTILES)
    return {"mean": float(np.mean(values)), **{f"p{at}": float(x) for at, x in zip(PERCENTILES, found, strict=True)}}


def _compared(ours: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """How many times as many tokens a second, and how much of the energy: only where the same is left out of both."""
    energies = [_number(each["energy_pj_per_token"]) for each in (ours, other)]
    return {
        "cluster": other["cluster"],
        "tokens_per_s": other["tokens_per_s"],
        "energy_pj_per_token": other["energy_pj_per_token"],
        "speedup": _number(ours["tokens_per_s"]) / _number(other["tokens_per_s"]),
        "energy_ratio": energies[0] / energies[1] if ours["energy_unknown"] == other["energy_unknown"] else None,
    }


def _number(value: object) -> float:
    return float(value) if isinstance(value, float | int) else float("nan")


def _text(document: Mapping[str, object]) -> str:
    d = document
    gib = {key: _number(d[key]) / 2**30 for key in ("weights_bytes", "cache_bytes", "capacity_bytes")}
    lines = [
        f"{d['model']} on {d['cluster']}, {d['sequences']} sequences at once",
        f"{_number(d['tokens_per_s']):,.1f} tokens a second, {_number(d['energy_pj_per_token']) / 1e9:,.2f} mJ a token",
    ]
    if "seconds_by" in d:
        lines.append(f"a step takes {_number(d['seconds']) * 1e3:,.3f} ms: " + _shares(d["seconds_by"], 1e3, "ms"))
    for key, says in (
        ("between_tokens_s", "between tokens"),
        ("first_token_s", "to the first token"),
        ("request_s", "to the last token"),
    ):
        if key in d:
            lines.append(f"{says}, ms: " + _shares(d[key], 1e3, ""))
    lines.append("energy, mJ: " + _shares(d["energy_by"], 1e-9, "") + _without(d))
    lines.append(
        f"memory, GiB: weights {gib['weights_bytes']:,.1f}, caches {gib['cache_bytes']:,.1f} of "
        f"{gib['capacity_bytes']:,.1f}; {d['sequences_that_fit']} sequences fit"
    )
    against = d.get("against")
    if isinstance(against, dict):
        ratio = against["energy_ratio"]
        energy = (
            "energies that leave out different things" if ratio is None else f"{ratio:.2f} times the energy a token"
        )
        lines.append(f"against {against['cluster']}: {against['speedup']:.2f} times the tokens a second, {energy}")
    return "\n".join(lines)


def _without(document: Mapping[str, object]) -> str:
    names = document["energy_unknown"]
    return f"; without {', '.join(names)}" if isinstance(names, list) and names else ""


def _shares(table: object, scale: float, unit: str) -> str:
    rows = table.items() if isinstance(table, Mapping) else ()
    return ", ".join(
        f"{name} {_number(value) * scale:,.4g}{' ' if unit else ''}{unit}" for name, value in rows if value
    )
