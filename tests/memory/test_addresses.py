"""Address maps: every burst has one place, and what does not cover the address is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.memory.addresses import FIELDS, decode, read_map, sizes_of
from accelsim.memory.model import Organisation
from accelsim.yamlfile import load_text

SMALL = Organisation("small", 2, 2, 1, 4, 2, 8, 16, 32)


def fields_of(text: str, shape: Organisation = SMALL) -> dict[str, list[int]]:
    """Every field of every burst under a map."""
    bursts = np.arange(shape.bytes // shape.burst_bytes)
    address_map = read_map(load_text(f"map: {text}", "x.yaml").mapping()["map"], shape)
    return {field: values.tolist() for field, values in decode(address_map, bursts).items()}


@pytest.mark.parametrize(
    "text",
    [
        "ro ba ra co bg pc ch",
        "ch pc bg ba ro co",
        "{ch: a % 2, pc: a // 2 % 2, bg: a // 4 % 4, co: a // 16 % 16, ba: a // 256 % 2, ro: a // 512}",
        "{ch: a // 2048, pc: a % 2, co: a//2 % 4 + a//32 % 4 * 4, bg: a//8 % 4, ro: a//128 % 8, ba: a//1024 % 2}",
    ],
)
@pytest.mark.parametrize("rows", [8, 6])
def test_every_burst_has_a_place_of_its_own(text: str, rows: int) -> None:
    shape = replace(SMALL, rows=rows)
    if rows == 6 and text.startswith("{ch: a // 2048"):
        return  # written for eight rows
    found = fields_of(text, shape)
    assert len(set(zip(*found.values(), strict=True))) == shape.bytes // shape.burst_bytes
    for field, size in sizes_of(shape).items():
        assert set(found[field]) == set(range(size))


def test_the_last_field_changes_fastest() -> None:
    found = fields_of("ro ba ra co bg pc ch")
    assert found["ch"][:4] == [0, 1, 0, 1]
    assert found["pc"][:4] == [0, 0, 1, 1]
    assert found["bg"][:20:4] == [0, 1, 2, 3, 0]
    assert found["co"][:32:16] == [0, 1]


def test_an_order_and_its_digits_are_the_same() -> None:
    digits = "{ch: a % 2, pc: a // 2 % 2, bg: a // 4 % 4, co: a // 16 % 16, ba: a // 256 % 2, ro: a // 512 % 8}"
    assert fields_of("ro ba ra co bg pc ch") == fields_of(digits)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ro ba co bg pc", 'does not cover the address: "ro ba co bg pc" lacks ch'),
        ("ro ba co bg pc ch co", '"co" stands twice'),
        ("ro ba col bg pc ch", 'unknown field "col"; did you mean "co"?'),
        ("{ro: a // 512, ba: a // 256 % 2, co: a // 16 % 16, bg: a // 4 % 4, pc: a % 2}", "nothing is said of ch"),
        (
            "{ro: a // 512, ba: a // 256 % 2, co: a // 16 % 8, bg: a // 4 % 4, pc: a // 2 % 2, ch: a % 2}",
            "8 values of co",
        ),
        ("{ro: a // 512, ba: a // 256 % 2, co: a // 8 % 16, bg: a // 4 % 4, pc: a // 2 % 2, ch: a % 2}", "overlaps"),
        (
            "{ro: a // 1024, ba: a // 256 % 2, co: a // 16 % 16, bg: a // 4 % 4, pc: a // 2 % 2, ch: a % 2}",
            "4 values of ro",
        ),
        (
            "{ro: a//512, ba: a//256 % 2, co: a//16 % 4 + a//64 % 4 * 8, bg: a//4 % 4, pc: a//2 % 2, ch: a % 2}",
            "leaves out",
        ),
        ("{ro: b // 512}", "a sum of digits"),
        ("{ro: a - 512}", "a sum of digits"),
        ("{row: a}", 'unknown key "row"; did you mean "ro"?'),
    ],
)
def test_maps_that_do_not_cover_the_address(text: str, message: str) -> None:
    with pytest.raises(AccelsimError) as error:
        fields_of(text)
    assert message in str(error.value)
    assert str(error.value).startswith("x.yaml:1:")


def test_fields_are_parts_of_an_organisation() -> None:
    assert all(hasattr(SMALL, part) for part in FIELDS.values())
