"""Formats of attention: the defaults, texts that change them, and what does not fit together."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.attention_formats import KEYED, TILED, AttentionFormats, read_formats
from accelsim.yamlfile import load_text
from tests.golden.examples import formats

STATED = {"q": "s8", "k": "s8", "v": "s8", "array": "s32", "scores": "s20.10", "factors": "u25.24", "output": "s24.15"}
SUMS = ("denominator", "accumulator")


def texts(chosen: AttentionFormats) -> dict[str, object]:
    return {field.name: str(getattr(chosen, field.name)) for field in fields(chosen)}


def test_the_defaults_are_those_stated() -> None:
    assert texts(TILED) == {**STATED, "p": "s16.15", **dict.fromkeys(SUMS, "s48.23"), "segments": "64"}
    assert texts(KEYED) == {**STATED, "p": "u25.24", **dict.fromkeys(SUMS, "s48.24"), "segments": "64"}
    assert (TILED.guard, TILED.largest_p, TILED.one) == (8, 2**15 - 1, 2**24)
    assert (KEYED.guard, KEYED.largest_p, KEYED.one) == (0, 2**24, 2**24)


@given(formats())
def test_texts_give_the_formats_back(chosen: AttentionFormats) -> None:
    assert read_formats(texts(chosen)) == chosen
    assert read_formats({}, chosen) == chosen


def test_texts_may_come_from_yaml() -> None:
    node = load_text("{scores: s22.12, p: s18.17, segments: 128}", "formats.yaml")
    chosen = read_formats({key: value.plain() for key, value in node.mapping().items()})
    assert (chosen.scores, chosen.p, chosen.segments) == (FixedFormat(22, 12), FixedFormat(18, 17), 128)


@pytest.mark.parametrize(
    ("given_texts", "text"),
    [
        ({"score": "s20.10"}, 'no format of attention is called "score"; did you mean "scores"?'),
        ({"p": "16.15"}, 'p: format of a number: must look like s20.10 or u8, got "16.15"'),
        ({"p": None}, 'p: format of a number: must look like s20.10 or u8, got "None"'),
        ({"segments": "many"}, 'segments: expected an integer, got "many"'),
        ({"segments": 63}, "p: segments must be one of 4, 8, 16, 32, 64, 128, not 63"),
        ({"q": "s8.7"}, "q must be a whole number, such as s8, not s8.7"),
        ({"array": "u32"}, "array must be signed, not u32"),
        ({"array": "s47"}, "array must be at most 46 bits, not s47"),
        ({"scores": "u20.10"}, "scores must be signed, not u20.10"),
        ({"scores": "s40.10"}, "factors: exp of u40.10 to u25.24 needs products beyond 62 bits"),
        ({"p": "s16.16"}, "p: the target of an exp unit must reach 1 - 2^-16; s16.16 does not"),
        ({"p": "s25.24"}, "accumulator must have at least the fraction of p, s25.24, not s48.23"),
        ({"factors": "u24.24"}, "factors must hold 1, as u25.24 does, not u24.24"),
        ({"factors": "s25.24"}, "factors must hold 1, as u25.24 does, not s25.24"),
        ({"factors": "u32.31"}, "factors must have a fraction of at most 30 bits, not u32.31"),
        ({"denominator": "s48.20"}, "denominator must have the fraction of accumulator, s48.23, not s48.20"),
        ({"accumulator": "s61.23"}, "accumulator must be at most 60 bits, not s61.23"),
        ({"output": "s40.33"}, "output must have a fraction of at most 32 bits, not s40.33"),
    ],
)
def test_formats_that_do_not_fit_are_refused(given_texts: dict[str, object], text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        read_formats(given_texts)
    assert str(caught.value) == text
