"""`accelsim rtl`: Verilog of hardware units, their verification, and what number formats cost."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.commands.reply import Reply
from accelsim.errors import AccelsimError, nearest
from accelsim.overrides import split_override

if TYPE_CHECKING:
    from accelsim.hardware.design import Design
    from accelsim.program.instruction import Instruction
    from accelsim.yamlfile import Node

HELP = "Verilog of hardware units, its verification, and the accuracy of its number formats"
FOLDER = Path("out/rtl")
LENGTHS = (64, 1024, 4096)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    for name, (says, add) in TASKS.items():
        inner = tasks.add_parser(name, help=says, description=says, allow_abbrev=False)
        add(inner)
        inner.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document and nothing else"
        )


def _add_set(parser: argparse.ArgumentParser, says: str) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help=f"{says}; may be repeated"
    )


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="UNIT|ARCH", help="a hardware unit or an architecture with rtl entries")
    parser.add_argument("--config", metavar="NAME", help="one of the unit's configurations, to begin with")
    _add_set(parser, "a parameter of the unit, or a path of the architecture")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help=f"where to (default: {FOLDER})")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", metavar="UNIT|ARCH", help="a hardware unit or an architecture (all units)")
    parser.add_argument("--full", action="store_true", help="also the configurations that take long")
    parser.add_argument("--sim", default="verilator", metavar="NAME", help="verilator (default) or icarus")
    parser.add_argument("--waves", type=Path, metavar="DIR", help="write the waves there; of a machine the first case")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of shapes, inputs and gaps (default: 1)")
    _add_set(parser, "a parameter of the unit, or a path of the architecture: run these parameters instead")


def _add_estimate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="UNIT|ARCH", help="a hardware unit or an architecture with rtl entries")
    parser.add_argument("--config", metavar="NAME", help="one of the unit's configurations, to begin with")
    _add_set(parser, "a parameter of the unit, or a path of the architecture")
    parser.add_argument(
        "--fpga", default="ecp5,xilinx", metavar="NAME,NAME", help="ice40, ecp5, xilinx (default: %(default)s)"
    )
    parser.add_argument("--liberty", type=Path, metavar="FILE", help="a cell library: area, gate equivalents and delay")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="also write <name>.estimate.yaml there, with --set lines"
    )


def _add_accuracy(parser: argparse.ArgumentParser) -> None:
    _add_set(parser, "a number format, p=s12.11, or segments=128")
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)), metavar="N,N", help="numbers of keys")
    parser.add_argument("--family", action="append", metavar="NAME", help="of inputs (default: all); may be repeated")
    parser.add_argument("--tile", default="64", metavar="N", help="keys per tile (64), or none: one key per cycle")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also draw the error over bits there: PNG, SVG, CSV")


def _add_asm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="FILE|ARCH", help="a program (text, or .hex words), or an architecture's own")
    parser.add_argument("--hex", action="store_true", help="words of 32 hexadecimal digits instead of text")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    _add_set(parser, "of an architecture: a size of the head, causal=true, or a path")


TASKS = {
    "generate": ("write Verilog, and JSON beside it", _add_generate),
    "verify": ("simulate against golden model and timing function: every bit and every edge", _add_verify),
    "estimate": ("LUTs, flip-flops, multipliers, memories, gates and delay, by synthesis alone", _add_estimate),
    "asm": ("assemble and disassemble programs of the sequencer, or show that of a head", _add_asm),
    "accuracy": ("error of attention in fixed point against double precision", _add_accuracy),
}


def run(arguments: argparse.Namespace) -> Reply:
    runs = {"generate": _generate, "verify": _verify, "estimate": _estimate, "asm": _asm, "accuracy": _accuracy}
    return runs[arguments.task](arguments)


def list_hardware() -> list[tuple[str, str]]:
    """Name and description of every hardware unit."""
    from accelsim.hardware.catalog import UNITS

    return list(UNITS.items())


def _generate(arguments: argparse.Namespace) -> Reply:
    if _is_arch(arguments.what) and _runs_instructions(arguments.what):
        return _written_machine(arguments)
    return _written(_designs(arguments), arguments.out)


def _written_machine(arguments: argparse.Namespace) -> Reply:
    """One module for the whole machine of an architecture."""
    from accelsim.arch import load_arch
    from accelsim.hardware.layer.machine import write_machine

    if arguments.config is not None:
        raise AccelsimError("--config belongs to a unit; parameters of an architecture stand in its rtl entries")
    arch = load_arch(arguments.what, arguments.overrides)
    module, paths, parameters = write_machine(arch, arguments.out)
    entry = {"for": arch.name, "module": module, "files": [str(path) for path in paths], "parameters": parameters}
    text = "\n".join(f"{arch.name}: {path}" for path in paths)
    return Reply(text, {"schema": 1, "kind": "rtl", "modules": [entry]})


def _designs(arguments: argparse.Namespace) -> dict[str, Design]:
    """The design of a unit, or of every unit of an architecture with an rtl entry, by what it is for."""
    from accelsim.hardware.catalog import find_unit

    if _is_arch(arguments.what):
        if arguments.config is not None:
            raise AccelsimError("--config belongs to a unit; parameters of an architecture stand in its rtl entries")
        if _runs_instructions(arguments.what):
            raise AccelsimError(
                f"{arguments.what} is one machine, of which there is no estimate yet: estimate units of it, "
                "such as systolic or fuse-array"
            )
        return _arch_designs(arguments.what, arguments.overrides)
    from accelsim.hardware.design import chosen_design

    design = chosen_design(find_unit(arguments.what), arguments.config, _nodes(arguments.overrides))
    return {design.unit.name: design}


def _written(found: dict[str, Design], folder: Path) -> Reply:
    """Write each different design once."""
    from accelsim.hardware.generate import generate

    designs = {design.name: design for design in found.values()}
    paths = {name: [str(path) for path in generate(design, folder)] for name, design in designs.items()}
    lines = [f"{used}: {path}" for used, design in found.items() for path in paths[design.name]]
    entries = [
        {"for": used, "module": design.name, "files": paths[design.name], "parameters": dict(design.plain)}
        for used, design in found.items()
    ]
    return Reply("\n".join(lines), {"schema": 1, "kind": "rtl", "modules": entries})


def _verify(arguments: argparse.Namespace) -> Reply:
    from accelsim.hardware.catalog import UNITS

    names = [arguments.what] if arguments.what else list(UNITS)
    if arguments.what is None and arguments.overrides:
        raise AccelsimError("--set needs the unit or architecture that it is for")
    if arguments.seed < 0:
        raise AccelsimError(f'--seed: must be 0 or more, got "{arguments.seed}"')
    if arguments.what and _is_arch(arguments.what) and _runs_instructions(arguments.what):
        return _verified_layer(arguments)
    groups = [group for name in names for group in _groups(name, arguments)]
    return _verified(groups, arguments)


def _groups(name: str, arguments: argparse.Namespace) -> list[list[Design]]:
    """The designs to verify, those of one unit together."""
    from accelsim.hardware.catalog import find_unit

    if _is_arch(name):
        found: dict[str, dict[str, Design]] = {}
        for design in _arch_designs(name, arguments.overrides).values():
            found.setdefault(design.unit.name, {})[design.name] = design
        return [list(group.values()) for group in found.values()]
    from accelsim.hardware.design import all_designs, chosen_design

    unit = find_unit(name)
    if arguments.overrides:
        return [[chosen_design(unit, None, _nodes(arguments.overrides))]]
    return [list(all_designs(unit, large=arguments.full))]


def _verified(groups: Sequence[list[Design]], arguments: argparse.Namespace) -> Reply:
    from accelsim.hardware.table import table_document, table_text
    from accelsim.hardware.verify import verify

    found = []
    for group in groups:
        waves = arguments.waves / group[0].unit.name if arguments.waves else None
        found.append(verify(group, arguments.sim, arguments.seed, waves))
    status = 0 if all(one.passed for one in found) else 1
    return Reply(table_text(found), table_document(found, arguments.sim, arguments.seed), status)


def _estimate(arguments: argparse.Namespace) -> Reply:
    from accelsim.arch import load_arch
    from accelsim.hardware.estimate import choose_flows, estimate_designs
    from accelsim.hardware.estimate_page import Page, page_document, page_text, write_page
    from accelsim.hardware.offer import offer_of

    found = _designs(arguments)
    flows = choose_flows([name.strip() for name in arguments.fpga.split(",")], arguments.liberty)
    estimates = estimate_designs(found, flows, _show)
    arch = load_arch(arguments.what, arguments.overrides) if _is_arch(arguments.what) else None
    name = arch.name if arch else estimates[0].design.name
    offer = offer_of(estimates, flows, arch)
    page = Page(name, arch.name if arch else None, tuple(arguments.overrides), flows, estimates, offer)
    document = page_document(page)
    written = [str(write_page(document, arguments.out))] if arguments.out else []
    return Reply("\n\n".join([page_text(page), *written]), {**document, "files": written})


def _show(line: str) -> None:
    """What is being done, where someone looks on."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{line}\n")


def _asm(arguments: argparse.Namespace) -> Reply:
    from accelsim.program.assembly import render_instruction, render_words

    found = _program(arguments)
    text = render_words(found) if arguments.hex else "".join(f"{render_instruction(each)}\n" for each in found)
    document = {"schema": 1, "kind": "rtl-program", "instructions": text.splitlines()}
    if arguments.out:
        from accelsim.commands.files import write_text

        write_text(arguments.out, text)
        return Reply(str(arguments.out), {**document, "files": [str(arguments.out)]})
    return Reply(text.rstrip("\n"), document)


def _program(arguments: argparse.Namespace) -> Sequence[Instruction]:
    """The instructions of a file, or those of a head of attention on the machine of an architecture."""
    from accelsim.program.assembly import read_assembly, read_words
    from accelsim.shipped import looks_like_path

    path = Path(arguments.what)
    if path.suffix not in (".yaml", ".yml") and (looks_like_path(arguments.what) or path.is_file()):
        if arguments.overrides:
            raise AccelsimError("--set is for an architecture; a file is taken as it is")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is no text"
            raise AccelsimError(f"{path}: cannot be read: {reason}") from None
        return (read_words if path.suffix == ".hex" else read_assembly)(text, str(path))
    from accelsim.hardware.layer.verify import program_at

    return program_at(arguments.what, arguments.overrides)


def _runs_instructions(name: str) -> bool:
    """Whether an architecture describes a machine that is verified whole."""
    from accelsim.arch import load_arch
    from accelsim.hardware.machines import is_machine

    return is_machine(load_arch(name))


def _verified_layer(arguments: argparse.Namespace) -> Reply:
    from accelsim.hardware.layer.table import layer_document, layer_text
    from accelsim.hardware.layer.verify import FULL, verify_layer

    cases = {"cases": FULL} if arguments.full else {}
    found = verify_layer(
        arguments.what, arguments.overrides, arguments.sim, arguments.seed, waves=arguments.waves, **cases
    )
    text, document = layer_text(found), layer_document(found, arguments.sim, arguments.seed)
    if found.traced:
        text += f"\n\nwaves and trace of the first case, {found.rows[0].setting.title}:\n"
        text += "\n".join(map(str, found.traced))
        document["traced"] = {"case": 0, "files": [str(path) for path in found.traced]}
    return Reply(text, document, 0 if found.passed else 1)


def _is_arch(name: str) -> bool:
    """Whether a name is an architecture rather than a unit. Raises AccelsimError where it is neither."""
    from accelsim.hardware.catalog import UNITS
    from accelsim.shipped import looks_like_path, shipped_names

    archs = shipped_names("arch_configs")
    if name not in UNITS and name not in archs and not looks_like_path(name):
        known = [*UNITS, *archs]
        raise AccelsimError(f'no hardware unit or architecture named "{name}"{nearest(name, known)}')
    return name not in UNITS


def _arch_designs(name: str, overrides: Sequence[str]) -> dict[str, Design]:
    from accelsim.arch import load_arch
    from accelsim.hardware.design import arch_designs

    return arch_designs(load_arch(name, overrides))


def _nodes(overrides: Sequence[str]) -> dict[str, Node]:
    return dict(split_override(text) for text in overrides)


def _accuracy(arguments: argparse.Namespace) -> Reply:
    from accelsim.golden.accuracy import accuracy
    from accelsim.golden.attention_formats import KEYED, TILED, read_formats
    from accelsim.golden.inputs import FAMILIES
    from accelsim.report.precision import precision_document, precision_picture, precision_text
    from accelsim.report.style import save

    tile = _tile(arguments.tile)
    formats = read_formats(
        {name: node.text for name, node in _nodes(arguments.overrides).items()}, KEYED if tile is None else TILED
    )
    rows = accuracy(formats, _lengths(arguments.lengths), arguments.family or list(FAMILIES), tile=tile)
    paths: list[str] = []
    if arguments.out:
        picture = precision_picture(formats, arguments.family, tile)
        paths = [str(path) for path in save(picture, arguments.out)]
    return Reply("\n".join([precision_text(rows), *paths]), precision_document(rows, formats, tile, paths))


def _tile(text: str) -> int | None:
    return None if text == "none" else _whole("--tile", text)


def _lengths(text: str) -> list[int]:
    return [_whole("--lengths", part.strip()) for part in text.split(",")]


def _whole(option: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise AccelsimError(f'{option}: must be a positive integer, got "{text[:80]}"')
    return int(text)
