"""The conformance items of BS.1387-1, where a user has them: the recordings may not be passed on.

`CONCERTCLEAN_PEAQ_ITEMS` names the folder; `acodsna.wav` is the estimate to the reference `arefsna.wav`, and so on.
"""

import os
from pathlib import Path

import pytest
import soundfile

from concertclean.metrics.peaq import peaq

# What GstPEAQ 0.6.1, whose choices are made here, gives for the distortion index; two of them as it documents them.
_GSTPEAQ = {
    "acodsna": 1.297,
    "bcodtri": 1.973,
    "ccodsax": 0.074,
    "ecodsmg": 1.811,
    "fcodsb1": 0.700,
    "fcodtr1": 1.468,
    "fcodtr2": 0.085,
    "fcodtr3": -0.564,
    "gcodcla": 1.798,
    "icodsna": -2.961,
    "kcodsme": 3.133,
    "lcodhrp": 1.095,
    "lcodpip": 2.735,
    "mcodcla": -0.378,
    "ncodsfe": 3.101,
    "scodclv": 1.723,
}
_FOLDER = os.environ.get("CONCERTCLEAN_PEAQ_ITEMS")


@pytest.mark.skipif(_FOLDER is None, reason="CONCERTCLEAN_PEAQ_ITEMS names no folder with the items of BS.1387")
@pytest.mark.parametrize(("item", "index"), _GSTPEAQ.items())
def test_items_get_the_index_of_gstpeaq(item, index):
    paths = Path(_FOLDER) / f"{item.replace('cod', 'ref', 1)}.wav", Path(_FOLDER) / f"{item}.wav"
    (reference, rate), (estimate, _) = (soundfile.read(path, always_2d=True) for path in paths)
    n_samples = min(len(reference), len(estimate))
    assert peaq(reference[:n_samples].T, estimate[:n_samples].T, rate).di == pytest.approx(index, abs=5e-3)
