"""What is loaded into pads: random words for all their places, and the elements that such words put there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from accelsim.formats import FixedFormat
from accelsim.golden.fixed import Codes
from accelsim.hardware.draw import codes, ends
from rtl.bench import pack, unpack
from rtl.layer.pads import PadForm, load_layout
from rtl.sim.case import Beats

Rng = np.random.Generator
ENDS_SHARE = 0.2  # of pads with elements at both ends of their range


def pad_words(pads: Mapping[str, PadForm], rng: Rng, any_share: float) -> Beats:
    """Words of `load_layout` for all places: any elements in such a share of pads, else both ends of the range or one.

    A pad with one end only has the sums that are largest.
    """
    fields: dict[str, list[int]] = {name: [] for name in ("pad", "bank", "word", "data")}
    for number, pad in enumerate(pads.values()):
        banks, words = np.indices((pad.banks, pad.words)).reshape(2, -1).tolist()
        fields["pad"] += [number] * len(banks)
        fields["bank"] += banks
        fields["word"] += words
        fields["data"] += pack(pad.word, _elements(pad, len(banks), rng, any_share))
    columns = {name: np.array(values, object if name == "data" else np.int64) for name, values in fields.items()}
    return pack(load_layout(pads), {**columns, "last": np.arange(len(fields["pad"])) == len(fields["pad"]) - 1})


def _elements(pad: PadForm, words: int, rng: Rng, any_share: float) -> Codes:
    number, kind = FixedFormat(pad.bits), rng.random()
    if kind < any_share:
        return codes(number, (words, pad.lanes), rng)
    if kind < any_share + ENDS_SHARE:
        return ends(number, (words, pad.lanes), rng)
    return np.full((words, pad.lanes), number.lowest if rng.random() < 0.6 else number.highest)


def pad_elements(pads: Mapping[str, PadForm], words: Beats) -> dict[str, Codes]:
    """Banks x words x lanes of each pad once these words of `load_layout` are there; 0 where none is."""
    beats, found = unpack(load_layout(pads), words), {}
    for number, (name, pad) in enumerate(pads.items()):
        these = beats["pad"] == number
        found[name] = np.zeros((pad.banks, pad.words, pad.lanes), np.int64)
        found[name][beats["bank"][these], beats["word"][these]] = unpack(pad.word, beats["data"][these].tolist())
    return found
