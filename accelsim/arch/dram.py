"""The `dram:` entry of a level: the DRAM behind it, checked against its standard and the bandwidth of the level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

from accelsim.arch.model import Level
from accelsim.errors import AccelsimError, nearest
from accelsim.memory.load import load_document, read_device
from accelsim.memory.model import Device, Policy
from accelsim.memory.run import check_policy
from accelsim.memory.setup import Setup, device_of
from accelsim.overrides import apply_set
from accelsim.shipped import looks_like_path
from accelsim.yamlfile import Node

REQUIRED = ("model", "standard", "channels", "queue", "page", "refresh")
OPTIONAL = ("org", "timing", "address_map", "write_queue", "drain_above", "drain_below")
MODELS = ("bandwidth", "commands")
USELESS = {
    "chunk": "transfers enter a DRAM whole, one after another",
    "rtl": "its engine moves tiles at the bandwidth alone",
}
SLACK = Fraction(1, 100)  # clock periods of a standard are written in whole picoseconds
GIGA = 10**9
MOST_CHANNELS = 256


def with_dram(level: Level, entries: Mapping[str, Node]) -> Level:
    """The level with the DRAM behind it, whose pins say to the last byte what its bandwidth is.

    Args:
        entries: of the level.

    Raises:
        AccelsimError: as `read_dram`; or the level says what a DRAM has no use for, or more bytes than it has.
    """
    setup = read_dram(entries["dram"], entries["bandwidth"])
    if setup is None:
        return level
    for key, why in USELESS.items():
        if key in entries:
            raise entries[key].error(f"{why}: leave it out, or say model: bandwidth")
    device = device_of(setup)
    if level.capacity_bytes is not None and level.capacity_bytes > device.organisation.bytes:
        raise entries["capacity"].error(f"the DRAM has {device.organisation.bytes} B, not {entries['capacity'].text}")
    ports = tuple(replace(port, bytes_per_s=device.pins_bytes_per_s) for port in level.ports)
    return replace(level, ports=ports, dram=setup)


def read_dram(node: Node, bandwidth: Node) -> Setup | None:
    """What is behind a level; None where `model` asks for the bandwidth alone.

    Args:
        bandwidth: that of the level, which must be the same within 1%.

    Raises:
        AccelsimError: an unknown key, model, standard, organisation or timing, a policy that the standard does not
            have, a map that does not cover the address, another bandwidth; each at its place.
    """
    entries = node.fields(REQUIRED, OPTIONAL)
    model = entries["model"].string()
    if model not in MODELS:
        raise entries["model"].error(f'unknown model "{model}"{nearest(model, MODELS)}')
    standard = _standard(entries["standard"])
    document = _chosen(entries, standard)
    shape, grade = (_name(node, entries, document, *kind) for kind in (("org", "organisation"), ("timing", "timing")))
    device = read_device(_with_channels(document, shape, entries["channels"]), shape, grade)
    policy = _policy(node, entries, device)
    _check_bandwidth(bandwidth, device)
    if model == "bandwidth":
        return None
    written = _written(document.mapping()["address_map"])
    return Setup(standard, shape, grade, device.organisation.channels, written, policy)


def _standard(node: Node) -> str:
    """A shipped name, or a path from the folder of the file that says it."""
    name = node.string()
    return str(Path(node.mark.source).parent / name) if looks_like_path(name) else name


def _chosen(entries: Mapping[str, Node], standard: str) -> Node:
    """The document of the standard with the map that the level gives."""
    try:
        document = load_document(standard)
    except AccelsimError as error:
        if error.mark:
            raise
        raise entries["standard"].error(error.message) from None
    if "address_map" not in entries:
        return document
    return apply_set(document, "address_map", entries["address_map"])


def _with_channels(document: Node, shape: str, channels: Node) -> Node:
    if channels.positive_integer() > MOST_CHANNELS:
        raise channels.expected(f"at most {MOST_CHANNELS}")
    return apply_set(document, f"organisations.{shape}.channels", channels)


def _name(node: Node, entries: Mapping[str, Node], document: Node, key: str, noun: str) -> str:
    """The organisation or the timing that is asked for; it may be left out where the standard has a single one."""
    known, standard = document.mapping()[f"{noun}s"].mapping(), document.mapping()["name"].text
    if key in entries and entries[key].string() not in known:
        name = entries[key].string()
        raise entries[key].error(f'{standard} has no {noun} named "{name}"{nearest(name, known)}')
    if key not in entries and len(known) > 1:
        raise node.error(f'missing key "{key}": {standard} has {", ".join(known)}')
    return entries[key].string() if key in entries else next(iter(known))


def _policy(node: Node, entries: Mapping[str, Node], device: Device) -> Policy:
    """What the level says of the controller; the queue of writes is as long as that of reads unless it says so."""
    said = {"write_queue": entries["queue"], **entries}
    given = {field.name: said[field.name].plain() for field in fields(Policy) if field.name in said}
    try:
        policy = Policy(**given)  # type: ignore[arg-type]
        check_policy(device, policy)
    except AccelsimError as error:
        name, _, what = error.message.partition(": ")
        raise said[name].error(what) if name in said else node.error(error.message) from None
    return policy


def _check_bandwidth(node: Node, device: Device) -> None:
    """Reads and writes share the pins, which move what they move."""
    if isinstance(node.value, dict):
        raise node.error("a DRAM reads and writes over the same pins: give one bandwidth")
    shape, found = device.organisation, device.pins_bytes_per_s
    stated = None if node.text == "unlimited" else node.quantity("B/s")
    if stated is None or abs(stated - found) > SLACK * found:
        pins = f"{shape.channels} channels of {_giga(found / shape.channels)} GB/s move {_giga(found)} GB/s"
        raise node.error(f"{pins} ({shape.name}, {device.timing}), not {node.text}")


def _giga(bytes_per_s: Fraction) -> str:
    return f"{float(bytes_per_s / GIGA):.6g}"


def _written(node: Node) -> str:
    """An address map as text: an order, or expressions."""
    if not isinstance(node.value, dict):
        return node.string()
    return "{" + ", ".join(f"{field}: {entry.text}" for field, entry in node.value.items()) + "}"
