"""Designs: names that stay, parameters from words and from YAML, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.arch import load_arch
from accelsim.errors import AccelsimError
from accelsim.hardware.catalog import UNITS, find_unit
from accelsim.hardware.design import all_designs, arch_designs, chosen_design, design_of
from accelsim.yamlfile import load_value

EXP = find_unit("exp")


def test_a_configuration_names_its_design() -> None:
    for design in all_designs(EXP):
        assert design_of(EXP, EXP.read(design.plain)).name == design.name
    assert chosen_design(EXP, "lanes", {}).name == "accelsim_exp_lanes"


def test_other_parameters_are_named_by_a_hash_of_them() -> None:
    changed = chosen_design(EXP, None, {"lanes": load_value("7", "--set lanes")})
    same = design_of(EXP, EXP.read({"lanes": 7}))
    other = design_of(EXP, EXP.read({"lanes": 6}))
    assert changed.name == same.name != other.name
    assert len(changed.label) == 8
    assert changed.plain["lanes"] == 7


def test_a_change_may_lead_back_to_a_configuration() -> None:
    lanes = EXP.plain(EXP.configurations["lanes"])["lanes"]
    segments = EXP.plain(EXP.configurations["lanes"])["segments"]
    changes = {name: load_value(str(value), "--set") for name, value in {"lanes": lanes, "segments": segments}.items()}
    assert chosen_design(EXP, None, changes).label == "lanes"


@pytest.mark.parametrize("name", list(UNITS))
def test_every_unit_has_configurations_of_its_own(name: str) -> None:
    unit = find_unit(name)
    assert unit.name == name
    assert unit.under_test.name == name.replace("-", "_")
    assert len(unit.configurations) >= 4
    assert not set(unit.configurations) & set(unit.large)
    designs = all_designs(unit, large=True)
    assert all(unit.plain(unit.read(design.plain)) == design.plain for design in designs)
    assert len({design_of(unit, design.params).name for design in designs}) == len(designs)


@pytest.mark.parametrize("name", list(UNITS))
def test_plain_values_make_the_same_parameters(name: str) -> None:
    """Of every configuration, too large ones for a simulation as well."""
    unit = find_unit(name)
    for params in (*unit.configurations.values(), *unit.large.values()):
        assert unit.read(unit.plain(params)) == params


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^no hardware unit named "expp"; did you mean "exp"\?$'):
        find_unit("expp")
    with pytest.raises(AccelsimError, match=r'^exp has no configuration "lane"; did you mean "lanes"\?$'):
        chosen_design(EXP, "lane", {})
    with pytest.raises(AccelsimError, match=r'^--set lane:1:1: lane: is no parameter; did you mean "lanes"\?$'):
        chosen_design(EXP, None, {"lane": load_value("3", "--set lane")})


def arch_file(folder: Path, *lines: str) -> str:
    """An architecture with these lines set on top of `edge`."""
    path = folder / "mine.yaml"
    head = ("schema: accelsim/arch/1", "name: mine", "base: edge", "set:")
    path.write_text("\n".join([*head, *(f"  {line}" for line in lines)]) + "\n", encoding="utf-8")
    return str(path)


def test_units_of_an_architecture_become_designs(tmp_path: Path) -> None:
    path = arch_file(tmp_path, "units.pe1d.rtl: {unit: exp, segments: 16}", "units.pe1d.lanes: 4")
    assert {name: design.label for name, design in arch_designs(load_arch(path)).items()} == {"pe1d": "lanes"}
    more = load_arch(path, ["arch.units.pe1d.lanes=3"])
    assert arch_designs(more)["pe1d"].plain["lanes"] == 3


def test_the_shipped_example_names_its_units() -> None:
    found = arch_designs(load_arch("tiny"))
    assert {name: design.unit.name for name, design in found.items()} == {
        "pe2d": "systolic",
        "pe1d": "softmax",
        "tile": "attention",
    }
    plain = found["pe2d"].plain
    assert (plain["rows"], plain["cols"]) == (8, 8)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{unit: expp}", 'units.pe1d.rtl.unit: no hardware unit named "expp"; did you mean "exp"?'),
        ("{unit: exp, lane: 3}", 'units.pe1d.rtl: lane: is no parameter; did you mean "lanes"?'),
        ("{unit: exp, lanes: 3}", 'units.pe1d.rtl.lanes: must be 32, as the unit has, or be left out, got "3"'),
        ("{lanes: 3}", 'units.pe1d.rtl: needs "unit", the hardware unit that is generated: see accelsim list rtl'),
        ("exp", 'units.pe1d.rtl: must be a mapping, got "exp"'),
    ],
)
def test_an_entry_that_is_wrong_is_refused_with_its_place(tmp_path: Path, entry: str, message: str) -> None:
    path = arch_file(tmp_path, f"units.pe1d.rtl: {entry}")
    with pytest.raises(AccelsimError) as caught:
        arch_designs(load_arch(path))
    assert caught.value.message == message
    assert caught.value.mark is not None
    assert caught.value.mark.line == 5


def test_an_architecture_without_entries_says_what_to_add() -> None:
    with pytest.raises(AccelsimError) as caught:
        arch_designs(load_arch("edge"))
    assert caught.value.message == (
        "edge: no unit has an rtl entry; add to a unit what is to be generated, such as "
        "units.pe2d.rtl: {unit: systolic}"
    )
