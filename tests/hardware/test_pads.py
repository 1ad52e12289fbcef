"""Words for pads: one for every place, and elements where the words say."""

from __future__ import annotations

import numpy as np

from accelsim.hardware.pads import pad_elements, pad_words
from rtl.bench import pack, unpack
from rtl.layer.pads import PadForm, load_layout

PADS = {"a": PadForm(2, 3, 4, 5), "b": PadForm(3, 1, 2, 9)}


def test_every_place_gets_one_word_and_the_last_ends_it() -> None:
    words = unpack(load_layout(PADS), pad_words(PADS, np.random.default_rng(1), 0.5))
    places = list(zip(*(words[name].tolist() for name in ("pad", "bank", "word")), strict=True))
    wanted = {(n, b, w) for n, pad in enumerate(PADS.values()) for b in range(pad.banks) for w in range(pad.words)}
    assert set(places) == wanted
    assert len(places) == len(wanted)
    assert words["last"].tolist() == [0] * (len(places) - 1) + [1]


def test_elements_lie_where_their_word_says() -> None:
    data = pack(PADS["b"].word, np.array([[-256, 255]]))[0]
    fields = {"pad": [1], "bank": [2], "word": [0], "data": np.array([data], object), "last": [1]}
    found = pad_elements(PADS, pack(load_layout(PADS), {name: np.array(value) for name, value in fields.items()}))
    assert found["b"].tolist() == [[[0, 0]], [[0, 0]], [[-256, 255]]]
    assert found["a"].shape == (2, 3, 4)
    assert not found["a"].any()


def test_pads_have_any_elements_both_ends_or_one() -> None:
    seen = set()
    for seed in range(60):
        elements = pad_elements(PADS, pad_words(PADS, np.random.default_rng(seed), 0.3))["b"]
        assert elements.min() >= -256
        assert elements.max() <= 255
        seen.add(min(len(np.unique(elements)), 3))
    assert seen == {1, 2, 3}
