"""From a component to RTLIL, the text that Yosys reads: flat port names, clock and reset always present, no copies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Fragment
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from rtl.once import part_name, parts_of
from rtl.ports import CLOCK, RESET, Leaf, leaves

_COUNTED = re.compile(r"\\([A-Za-z_]\w*)\$(\d+)(?:\$(\d+))?")
"""Second and further wires of a name. Yosys makes `$` plain in the ports of a module, but not where it is used."""
_IS_TOP = "attribute \\top 1\n"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_MODULE = re.compile(r"^(?:attribute \\\S+ [^\n]*\n)*module \\(\S+)\n.*?^end\n", re.MULTILINE | re.DOTALL)


class _Top(Elaboratable):
    """A design with its clock domain, so that `clk` and `rst` are ports even of one without registers."""

    def __init__(self, design: Elaboratable, domain: ClockDomain) -> None:
        self.design = design
        self.domain = domain

    def elaborate(self, platform: None) -> Fragment:
        fragment = Fragment.get(self.design, platform)
        fragment.add_domains(self.domain)
        return fragment


def rtlil_text(component: wiring.Component, name: str) -> str:
    """The netlist of a component as module `name`; modules that are equal are emitted once.

    Ports are `clk`, `rst` and the members of the signature, their paths joined by a single underscore. Modules below
    are called by their paths, joined in the same way.
    """
    check_module_name(name)
    return without_copies(netlist_of(component, leaves(component), name))


def netlist_of(design: Elaboratable, ports: Sequence[Leaf], name: str) -> str:
    """The netlist of any design whose ports are `clk`, `rst` and these signals; parts of `once` stand behind it."""
    domain = ClockDomain("sync")
    inputs = {CLOCK: domain.clk, RESET: domain.rst}
    found = {port: (signal, PortDirection.Input) for port, signal in inputs.items()}
    for leaf in ports:
        if len(leaf.value):
            direction = PortDirection.Input if leaf.direction == "input" else PortDirection.Output
            found[leaf.name] = (leaf.value, direction)
    with parts_of(name) as parts:
        text: str = rtlil.convert(_Top(design, domain), name=name, ports=found, emit_src=False)
    below = [netlist_of(part, leaves(part), part_name(name, kind)) for kind, part in parts.items()]
    return "\n".join([text, *(part.replace(_IS_TOP, "") for part in below)])


def check_module_name(name: str) -> None:
    """Raise AccelsimError for a name that Verilog would have to escape."""
    if not _NAME.fullmatch(name):
        raise AccelsimError(f'module name: must be letters, digits and underscores, got "{name[:80]}"')


def without_copies(text: str) -> str:
    """The same design with each of equal modules once, and plain names: `top.pe_0` becomes `top_pe_0`."""
    modules = {found[1]: found[0] for found in _MODULE.finditer(text)}
    while kept := dict(_copies(modules)):
        modules = {name: _renamed(body, kept) for name, body in modules.items() if name not in kept}
    plain = _plain_names(list(modules))
    return _COUNTED.sub(_plain, "\n".join(_renamed(body, plain) for body in modules.values()))


def _plain(found: re.Match[str]) -> str:
    """`name__2` for `name$2`, `port__7__0` for `port$7$0`."""
    return "\\" + "__".join(filter(None, found.groups()))


def _copies(modules: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Modules that equal an earlier one but for their name, with that one."""
    first: dict[str, str] = {}
    for name, body in modules.items():
        original = first.setdefault(body.replace(f"module \\{name}\n", "module\n", 1), name)
        if original != name:
            yield name, original


def _renamed(body: str, names: dict[str, str]) -> str:
    """`body` with the modules that it is, or instantiates, called by their new names."""
    return re.sub(
        r"^(\s*(?:module|cell) \\)(\S+)",
        lambda found: found[1] + names.get(found[2], found[2]),
        body,
        flags=re.MULTILINE,
    )


def _plain_names(names: list[str]) -> dict[str, str]:
    """A name without dots for each, all different."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        while plain in found.values():
            plain += "_"
        found[name] = plain
    return found
