"""The classifier of scenes on arrays: `networks.scene_classifier` without torch, which takes seconds to load.

Looking at a recording comes before everything else, and a clean one needs nothing more.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import expit, softmax

from concertclean.dsp.scene_images import SCENES, SceneImages
from concertclean.errors import ModelError
from concertclean.weights.file_format import WeightsHeader, load_arrays, read_header
from concertclean.weights.locating import known_card, locate_weights

_ARCHITECTURE: Final = "scene_classifier"
_NORM_EPSILON: Final = 1e-5
_LARGEST: Final = 2**20  # of the settings: more is a damaged file

_Floats = NDArray[np.float32]


class Classifier(Protocol):
    """What recognises scenes.

    Attributes:
        sample_rate: Hz.
    """

    sample_rate: int

    def __call__(self, waveform: _Floats) -> NDArray[np.float64]:
        """Probabilities of `SCENES`, `(scene,)`, of a waveform `(time,)`, full scale ±1."""


def load_scenes(name_or_path: str | Path = "scenes", *, offline: bool = False) -> Classifier:
    """Returns the classifier of scenes with its weights.

    Args:
        name_or_path: of a model, or a weights file.
        offline: never use the network.

    Raises:
        ModelError: it is unknown, another network, or damaged.
        OfflineError: the weights are not here and the network is off or away.
    """
    card = known_card(name_or_path)
    if card is not None:
        _require(card.architecture, name_or_path)
    path = locate_weights(name_or_path, offline=offline).path
    header = read_header(path)
    _require(header.architecture, path)
    try:
        return _Scenes(_images(header), load_arrays(path))
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{path}: its tensors or settings do not fit the network its header describes ({error}); "
            "fetch the weights again, or update concertclean"
        ) from error


class _Scenes:
    """See `Classifier`; ValueError or KeyError for weights that do not fit."""

    def __init__(self, images: SceneImages, weights: Mapping[str, _Floats]) -> None:
        self.sample_rate, self._images = images.sample_rate, images
        n_layers = len({name.split(".")[1] for name in weights if name.startswith("convolutions.")})
        self._kernels = [_folded(weights, f"convolutions.{number}.") for number in range(n_layers)]
        self._hidden = weights["hidden.weight"], weights["hidden.bias"]
        self._answer = weights["answer.weight"], weights["answer.bias"]
        silence = np.zeros(images.n_fft, np.float32)
        if self(silence).shape != (len(SCENES),):  # the shapes fit each other, or this raises
            raise ValueError(f"{len(self._answer[1])} scenes instead of {len(SCENES)}")

    def __call__(self, waveform: _Floats) -> NDArray[np.float64]:
        """See `Classifier`."""
        found = self._images.image(waveform)
        for kernel, bias in self._kernels:
            found = _silu(_convolved(found, kernel) + bias[:, None, None])
        pooled = np.concatenate([found.mean(axis=1), found.std(axis=1)]).ravel()
        hidden = _silu(self._hidden[0] @ pooled + self._hidden[1])
        return np.asarray(softmax((self._answer[0] @ hidden + self._answer[1]).astype(np.float64)))


def _folded(weights: Mapping[str, _Floats], name: str) -> tuple[_Floats, _Floats]:
    """Kernel and bias of a convolution, with the normalisation that follows it."""
    kernel, bias = weights[name + "0.weight"], weights[name + "0.bias"]
    mean, variance = weights[name + "1.running_mean"], weights[name + "1.running_var"]
    gain = weights[name + "1.weight"] / np.sqrt(variance + np.float32(_NORM_EPSILON))
    return kernel * gain[:, None, None, None], (bias - mean) * gain + weights[name + "1.bias"]


def _convolved(image: _Floats, kernel: _Floats) -> _Floats:
    """Convolution of `(channel, height, width)` by 3 with stride 2 and a margin of 1."""
    windows = sliding_window_view(np.pad(image, ((0, 0), (1, 1), (1, 1))), (3, 3), axis=(1, 2))[:, ::2, ::2]
    return np.asarray(np.tensordot(kernel, windows, axes=([1, 2, 3], [0, 3, 4])))


def _silu(values: _Floats) -> _Floats:
    return np.asarray(values * expit(values))


def _images(header: WeightsHeader) -> SceneImages:
    """The settings of a header that concern the images; ValueError for impossible ones."""
    given = {field.name: header.config[field.name] for field in fields(SceneImages) if field.name in header.config}
    least = dict.fromkeys(given, 1) | {"flatness_n_fft": 0}  # 0: no such plane
    if wrong := [
        name for name, value in given.items() if type(value) is not int or not least[name] <= value <= _LARGEST
    ]:
        raise ValueError(f"{', '.join(wrong)}: not a positive whole number")
    images = SceneImages(**given)
    shortest = min(images.n_fft, images.flatness_n_fft or images.n_fft)
    if not max(images.hop_length, images.n_mels) <= shortest:
        raise ValueError(f"{asdict(images)}: a frame is too short")
    return images


def _require(architecture: str, place: str | Path) -> None:
    if architecture != _ARCHITECTURE:
        raise ModelError(f"{place}: {architecture} does not recognise scenes; name a {_ARCHITECTURE}, such as scenes")
