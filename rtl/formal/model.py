"""The model that a solver gets: a block and its claims as SMT-LIB, checked to be free where it should be."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from rtl.formal.claims import Claims, Properties
from rtl.netlist import netlist_of
from rtl.ports import CLOCK, RESET, leaves
from rtl.yosys import run_yosys

TOP = "proof"
SCRIPT = (
    "read_rtlil in.il",
    f"hierarchy -check -top {TOP}",
    "proc",
    "flatten",
    "check -assert",
    "memory_collect",
    "opt_clean -purge",
    "async2sync",
    "chformal -lower",
    "dffunmap",
    "opt_clean -purge",
    "setundef -undriven -anyseq",
    "write_smt2 -wires out.smt2",
)
_FACT = re.compile(r"^; yosys-smt2-(input|assert|assume|cover) (\S+) (\S+)", re.MULTILINE)
_CHECK = re.compile(r'cell \$check \S+\n((?:    [^\n]*\n)*?)    parameter \\FORMAT "([^"]*)"')


@dataclass(frozen=True)
class Model:
    """The text for the solver, the netlist behind it, and the names of what is asserted and what is to be reached."""

    text: str
    netlist: str
    asserted: tuple[str, ...]
    covered: tuple[str, ...]


class _Around(Elaboratable):
    """The block and, around it, its claims."""

    def __init__(self, m: Module) -> None:
        self.m = m

    def elaborate(self, platform: None) -> Module:
        return self.m


def model_of(component: wiring.Component, properties: Properties) -> Model:
    """The model of a block with its claims. Reset is a free input: it may come at any edge.

    Raises AccelsimError where the model lacks an input or a claim. A signal that is neither driven nor a port would
    be stuck at its reset value, and everything could be proved of it.
    """
    m = Module()
    m.submodules.dut = component
    claims = Claims(m)
    properties(claims, component)
    inputs = [leaf for leaf in leaves(component) if leaf.direction == "input"]
    netlist = _named(netlist_of(_Around(m), [*inputs, *claims.chosen], TOP))
    text = run_yosys(SCRIPT, {"in.il": netlist}, ["out.smt2"])["out.smt2"]
    widths = {CLOCK: 1, RESET: 1, **{leaf.name: len(leaf.value) for leaf in (*inputs, *claims.chosen)}}
    _check(text, {name: width for name, width in widths.items() if width}, claims)
    return Model(text, netlist, tuple(claims.asserted), tuple(claims.covered))


def _named(netlist: str) -> str:
    """The same netlist, in which each claim is called by its name, which is not printed any more."""
    return _CHECK.sub(lambda found: f'cell $check \\{found[2]}\n{found[1]}    parameter \\FORMAT ""', netlist)


def _check(text: str, widths: dict[str, int], claims: Claims) -> None:
    """Raise AccelsimError unless the model has these inputs and claims, and no others."""
    facts = _FACT.findall(text)
    _compare("inputs", [f"{name} {width}" for name, width in widths.items()], _of(facts, "input", whole=True))
    _compare("assertions", claims.asserted, _of(facts, "assert"))
    _compare("assumptions", claims.assumed, _of(facts, "assume"))
    _compare("covers", claims.covered, _of(facts, "cover"))


def _of(facts: list[tuple[str, str, str]], kind: str, *, whole: bool = False) -> list[str]:
    """The names of one kind; of inputs also the widths."""
    return [f"{first} {second}" if whole else second for found, first, second in facts if found == kind]


def _compare(what: str, wanted: list[str], found: list[str]) -> None:
    lacks, more = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if lacks or more:
        words = f"lacks {sorted(lacks) or 'none'}, has beyond them {sorted(more) or 'none'}"
        raise AccelsimError(f"model of a proof: {what}: {words}")
