"""Systems from YAML: every shipped one, and every number, word and key that cannot be, at its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from accelsim.cluster import load_system
from accelsim.cluster.load import load_document
from accelsim.errors import AccelsimError
from accelsim.memory.pim import load_stack
from accelsim.shipped import data_dir
from accelsim.yamlfile import Node, load_file, load_text
from tests.cluster.named import SYSTEMS, near_of, system

WHOLE = """\
schema: accelsim/cluster/1
name: own
description: All that a file can say
source: made up
devices: 8
nodes: 2
processor:
  peak: 312e12 flop/s
  element: 2 B
  bandwidth: 3352 GB/s
  capacity: 80 GiB
  efficiency: {compute: 0.8, bandwidth: 0.75}
  tiling: {sides: [8, 16], cores: 108, core_cache: 192 KiB, shared_cache: 40 MiB, waves: [compute], register_side: 4}
  fits: {N: {latency: 7 us, time_per_byte: 1e-12 s/B}}
  energy: {memory: 28 pJ/B, shared_cache: 2 pJ/B, core_cache: 1 pJ/B, register: 0.2 pJ/mac, flop: 0.16 pJ/flop}
link: {bandwidth: 100 GB/s, latency: 6 us, rounds: 2, energy: 10 pJ/B}
near:
  bandwidth: 30 TB/s
  flops_per_byte: 1
  efficiency: 0.85
  spaces: 4
  rereads: true
  capacity: 640 GiB
  link: 300 GB/s
  commands: {stack: HBM3-PIM, level: bank, rules: corrected, power_limit: true, stacks: 40}
  energy: {memory: 4.4 pJ/B, flop: 0.08 pJ/flop}
policy:
  place: {attention: near, projection: processor, ffn: shared, experts: greedy}
  overlap: heads
  prompts: after
  experts: whole
  expert_reduces: 1
  table_efficiency: 1
  shared_energy: each
"""
FREE_TEXT = ("description", "source")
MAY_BE_NULL = (
    *("processor.tiling", "processor.energy.shared_cache", "processor.energy.core_cache", "processor.energy.register"),
    *("link.energy", "near.link"),
)
MAY_BE_ZERO = ("processor.fits.N", "processor.energy", "link.latency", "link.energy", "near.energy", "near.capacity")
OTHER_FILE = ("near.commands.level", "near.commands.rules")  # their places are in the file of the stack


def nodes(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every value below this one, with its path."""
    if isinstance(node.value, dict):
        for key, entry in node.value.items():
            below = f"{path}.{key}".lstrip(".")
            yield below, entry
            yield from nodes(entry, below)


LEAVES = {path: node for path, node in nodes(load_text(WHOLE, "own")) if not isinstance(node.value, dict)}
TABLES = {path: node for path, node in nodes(load_text(WHOLE, "own")) if isinstance(node.value, dict)}
NUMBERS = [path for path, node in LEAVES.items() if node.text[:1].isdigit()]


def refusal(folder: Path, text: str) -> str:
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AccelsimError) as caught:
        load_system(str(path))
    return str(caught.value).removeprefix(f"{folder}/own.yaml")


def replaced(path: str, value: str) -> str:
    """The file with another value there: the rest of the line, up to a comma or bracket, or all of a list."""
    node, lines = LEAVES[path], WHOLE.splitlines(keepends=True)
    line, start = lines[node.mark.line - 1], node.mark.column - 1
    ends = ("]",) if line[start] == "[" else (",", "}", "\n")
    end = min(at for mark in ends if (at := line.find(mark, start)) >= 0) + (line[start] == "[")
    lines[node.mark.line - 1] = line[:start] + value + line[end:]
    return "".join(lines)


def without(path: str) -> str:
    """The file with a key of that name no longer known."""
    node = {**LEAVES, **TABLES}[path]
    assert node.key_mark
    lines = WHOLE.splitlines(keepends=True)
    line, start = lines[node.key_mark.line - 1], node.key_mark.column - 1
    lines[node.key_mark.line - 1] = line[:start] + "q" + line[start:]
    return "".join(lines)


def test_without_a_slip_it_loads(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(WHOLE)
    found = load_system(str(tmp_path / "own.yaml"))
    assert (found.name, found.source, found.devices, found.nodes) == ("own", "made up", 8, 2)
    roofline, tiling = found.processor.roofline, found.processor.roofline.tiling
    assert (roofline.flops_per_s, roofline.bytes_per_s, found.processor.capacity_bytes) == (312e12, 3352e9, 80 * 2**30)
    assert (roofline.compute_efficiency, roofline.bandwidth_efficiency, roofline.element_bytes) == (0.8, 0.75, 2)
    assert tiling
    assert (tiling.sides, tiling.cores, tiling.register_side, tiling.waves) == ((8, 16), 108, 4, ("compute",))
    assert (tiling.core_bytes, tiling.shared_bytes) == (192 << 10, 40 << 20)
    near = near_of(found)
    assert (near.roofline.flops_per_s, near.roofline.bytes_per_s, near.roofline.element_bytes) == (30e12, 30e12, 2)
    assert (near.spaces, near.rereads, near.capacity_bytes, near.link_bytes_per_s) == (4, True, 640 * 2**30, 300e9)
    assert near.commands
    assert (near.commands.stacks, near.commands.stack) == (
        40,
        load_stack("HBM3-PIM", "bank", "corrected", power_limit=True),
    )
    assert (found.link.bytes_per_s, found.link.latency_s, found.link.rounds, found.link.energy) == (1e11, 6e-6, 2, 10)
    assert found.policy.place == {"attention": "near", "projection": "processor", "ffn": "shared", "experts": "greedy"}
    assert found.energy_unknown == ()


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_shipped_system_loads_and_is_named_after_its_file(name: str) -> None:
    found, document = system(name), load_file(data_dir("clusters") / f"{name}.yaml").mapping()
    assert found.name == name
    assert found.source == " ".join(document["source"].string().split())
    assert document["description"].string()


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in (*FREE_TEXT, *OTHER_FILE, "schema")])
def test_nonsense_is_refused_at_its_place(tmp_path: Path, path: str) -> None:
    mark = LEAVES[path].mark
    assert refusal(tmp_path, replaced(path, "-7 x")).startswith(f":{mark.line}:{mark.column}: {path}: ")


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in ("schema", "description")])
def test_nothing_is_a_default(tmp_path: Path, path: str) -> None:
    """Null means that something is not there, where that can be; elsewhere it is an error at the key."""
    mark = LEAVES[path].key_mark
    assert mark
    if path in MAY_BE_NULL:
        (tmp_path / "own.yaml").write_text(replaced(path, "null"))
        assert load_system(str(tmp_path / "own.yaml"))
    else:
        assert refusal(tmp_path, replaced(path, "null")).startswith(f":{mark.line}:{mark.column}: {path}: must be ")


@pytest.mark.parametrize("path", NUMBERS)
def test_zero_only_where_it_makes_sense(tmp_path: Path, path: str) -> None:
    node = LEAVES[path]
    number, _, unit = node.text.partition(" ")
    zero = replaced(path, f"0 {unit}".strip())
    if path.startswith((*MAY_BE_ZERO, "policy.expert_reduces")):
        (tmp_path / "own.yaml").write_text(zero)
        assert load_system(str(tmp_path / "own.yaml"))
    else:
        assert refusal(tmp_path, zero).startswith(f":{node.mark.line}:{node.mark.column}: {path}: must be ")
    assert refusal(tmp_path, replaced(path, f"-{number} {unit}".strip())).startswith(
        f":{node.mark.line}:{node.mark.column}: {path}: must be "
    )


@pytest.mark.parametrize("path", [path for path in {**LEAVES, **TABLES} if path not in ("schema", "processor.fits.N")])
def test_every_key_has_its_name(tmp_path: Path, path: str) -> None:
    mark = {**LEAVES, **TABLES}[path].key_mark
    key = path.rpartition(".")[2]
    assert mark
    said = refusal(tmp_path, without(path))
    assert said.startswith(f":{mark.line}:{mark.column}: ")
    assert f'unknown key "q{key}"; did you mean "{key}"?' in said


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("devices", "4097", 'must be at most 4096, got "4097"'),
        ("nodes", "1.5", 'must be a positive integer, got "1.5"'),
        ("processor.peak", "3 GB/s", 'expected a quantity in flop/s, got "3 GB/s"'),
        ("processor.element", "1.5 B", 'must be a whole number of bytes, got "1.5 B"'),
        ("processor.efficiency.compute", "1.01", 'must be a number above 0 and up to 1, got "1.01"'),
        ("processor.tiling.sides", "[16, 8]", "must be sides of tiles, ascending, got a list"),
        ("processor.tiling.sides", "[8, 8]", "must be sides of tiles, ascending, got a list"),
        ("processor.tiling.sides", "[]", "must be sides of tiles, ascending, got a list"),
        ("processor.tiling.waves", "[rows]", "must be a list of compute and bandwidth, or of one, or of none"),
        ("link.rounds", "0.5", 'must be a positive integer, got "0.5"'),
        ("near.spaces", "13", 'must be at most 12, got "13"'),
        ("near.rereads", "1", 'must be true or false, got "1"'),
        ("near.flops_per_byte", "0", 'must be a number more than 0, got "0"'),
        ("near.commands.stack", "HBM9", 'no stack with processing in memory named "HBM9"; known: HBM3-PIM'),
        ("policy.place.attention", "shared", 'must be one of processor, near, fastest, got "shared"'),
        ("policy.place.projection", "greedy", 'must be one of processor, near, fastest, shared, got "greedy"'),
        ("policy.overlap", "tiles", 'must be one of none, heads, got "tiles"'),
        ("policy.prompts", "before", 'must be one of after, beside, got "before"'),
        ("policy.prompts", "beside", 'must be after where overlap is heads, got "beside"'),
        ("policy.experts", "half", 'must be one of whole, split, got "half"'),
        ("policy.expert_reduces", "-1", 'must be 0 or more, got "-1"'),
        ("policy.shared_energy", "both", 'must be one of each, processor, got "both"'),
    ],
)
def test_refusals_say_what_may_be(tmp_path: Path, path: str, value: str, says: str) -> None:
    mark = LEAVES[path].mark
    found = refusal(tmp_path, replaced(path, value))
    assert found.startswith(f":{mark.line}:{mark.column}: {path}: {says}")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("near.commands.level", "rank", 'levels: no level named "rank"; did you mean "bank"?'),
        ("near.commands.rules", "correctd", 'rules: no rule set named "correctd"; did you mean "corrected"?'),
    ],
)
def test_a_level_that_the_stack_has_not(tmp_path: Path, path: str, value: str, says: str) -> None:
    found = refusal(tmp_path, replaced(path, value))
    assert "HBM3-PIM.yaml:" in found
    assert says in found


@pytest.mark.parametrize(
    ("near", "changes", "message"),
    [
        (
            "attacc",
            ["near=null"],
            "policy.place.attention: must be processor, since there are no units near the memory",
        ),
        (
            "duplex",
            ["near=null"],
            "policy.place.attention: must be processor, since there are no units near the memory",
        ),
        (
            "dgx-a100",
            ["policy.overlap=heads"],
            "policy.overlap: must be none where attention is not near or projection is not on the processor",
        ),
        (
            "duplex",
            ["policy.overlap=heads"],
            "policy.overlap: must be none where attention is not near or projection is not on the processor",
        ),
    ],
)
def test_policies_need_the_units_that_they_name(near: str, changes: list[str], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        load_system(near, changes)
    assert caught.value.message.startswith(message)
    assert caught.value.mark


def test_names_that_are_not_there() -> None:
    for name, hint in (("duplx", 'no cluster named "duplx"; did you mean "duplex"?'), ("./no.yaml", "no.yaml")):
        with pytest.raises(AccelsimError) as caught:
            load_system(name)
        assert hint in str(caught.value)


def test_set_and_base() -> None:
    """A path with or without the kind before it; a base by name, whose values stay where nothing is said."""
    one, two = (load_system("attacc", [f"{prefix}devices=4"]) for prefix in ("", "cluster."))
    assert one == two != system("attacc")
    assert one.devices == 4
    assert one.processor == system("dgx-a100").processor
    with pytest.raises(AccelsimError, match=r'^--set devces:1:1: "devces": no "devces"; did you mean "devices"'):
        load_system("attacc", ["devces=4"])


def test_a_base_by_path(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(WHOLE)
    text = "schema: accelsim/cluster/1\nname: other\ndescription: x\nsource: y\nbase: ./own.yaml\nset: {nodes: 3}\n"
    (tmp_path / "other.yaml").write_text(text)
    assert load_system(str(tmp_path / "other.yaml")).nodes == 3
    resolved = load_document(str(tmp_path / "other.yaml")).mapping()
    assert "base" not in resolved
    (tmp_path / "own.yaml").write_text(WHOLE.replace("cluster/1", "model/1"))
    with pytest.raises(AccelsimError, match=r"own\.yaml:1:9: "):
        load_system(str(tmp_path / "other.yaml"))
