"""The table of networks: the constructor of each, its task and its default loss.

To add an architecture, add one file and one row; the contract tests run over the rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from concertclean.networks.band_split_lstm import BandSplitLSTM
from concertclean.networks.cae import CAE
from concertclean.networks.dccrn import DCCRN
from concertclean.networks.ddae import DDAE
from concertclean.networks.kanunet_eca import KANUNetECA
from concertclean.networks.noise_detector import NoiseDetector
from concertclean.networks.open_unmix import OpenUnmix
from concertclean.networks.scene_classifier import SceneClassifier
from concertclean.networks.seanet import SEANet
from concertclean.networks.tunet import TUNet
from concertclean.networks.two_stage_unet import TwoStageUNet
from concertclean.networks.wave_unet import WaveUNet
from concertclean.networks.wave_unet_sinc import SincWaveUNet

Task = Literal["restore", "separate", "unmix", "debleed", "detect"]
"""The task of a network: `restore` maps a recording to a cleaner one, `separate` a song to its stems, `debleed` a track
to the same without the other instruments, `unmix` a band to the matrix it was mixed with, `detect` a recording to what
it holds."""


@dataclass(frozen=True)
class Architecture:
    """A row of the table.

    Attributes:
        build: returns the network with fresh parameters, from flat keyword arguments.
        task: of the network.
        small_config: arguments of `build` for a network of a few thousand parameters, for tests.
        default_loss: name of the loss if a recipe names none.
        purpose: what its models do and which command uses them, worded to follow their name in an error message.
    """

    build: Callable[..., nn.Module]
    task: Task
    small_config: Mapping[str, Any]
    default_loss: str
    purpose: str


_RESTORES = "restores recordings; use `concertclean denoise`"
_SEPARATES = "separates songs into stems; use `concertclean.restore.separation.separate` in Python"
_REDUCES_BLEED = "reduces bleed between tracks; use `concertclean debleed`"
_SMALL_WAVE_UNET: Mapping[str, Any] = {"levels": 3, "filters": 4, "kernel_size": 5, "merge_size": 3}

ARCHITECTURES: dict[str, Architecture] = {
    "band_split_lstm": Architecture(
        BandSplitLSTM,
        "restore",
        {"n_fft": 256, "hop_length": 64, "bands": 40, "groups": 8, "features": 4, "hidden": 4, "layers": 2},
        "relative",
        _RESTORES,
    ),
    "cae": Architecture(
        CAE, "debleed", {"n_fft": 256, "hop_length": 64, "widths": [4, 8], "code": 16}, "magnitude", _REDUCES_BLEED
    ),
    "dccrn": Architecture(
        DCCRN,
        "restore",
        {"win_length": 200, "hop_length": 64, "n_fft": 256, "widths": [4, 8, 8], "rnn_units": 8},
        "si_snr",
        _RESTORES,
    ),
    "ddae": Architecture(DDAE, "restore", {"n_fft": 256, "hop_length": 64}, "spectrogram_mse", _RESTORES),
    "kanunet_eca": Architecture(
        KANUNetECA, "restore", {"n_fft": 256, "hop_length": 64, "base": 2}, "spectral", _RESTORES
    ),
    "noise_detector": Architecture(
        NoiseDetector,
        "detect",
        {"n_fft": 256, "hop_length": 64, "n_mels": 16},
        "detection",
        "finds noise without music; use `concertclean dataset extract-noise`",
    ),
    "open_unmix": Architecture(
        OpenUnmix,
        "separate",
        {"n_fft": 256, "hop_length": 64, "hidden": 8, "recurrent_layers": 1},
        "spectrogram_mse",
        _SEPARATES,
    ),
    "scene_classifier": Architecture(
        SceneClassifier,
        "detect",
        {"n_fft": 256, "hop_length": 64, "n_mels": 16, "widths": [2, 4], "hidden": 8},
        "scene",
        "recognises crowds, discs and speech; use `concertclean analyse`",
    ),
    "seanet": Architecture(
        SEANet,
        "restore",
        {"n_fft": 256, "hop_length": 64, "widths": [2, 4, 4, 4, 4, 8, 8], "code": 4},
        "complex",
        _RESTORES,
    ),
    "tunet": Architecture(TUNet, "unmix", {"segment": 400, "widths": [4, 8], "hidden": [16]}, "matrix", _REDUCES_BLEED),
    "two_stage_unet": Architecture(
        TwoStageUNet,
        "restore",
        {"n_fft": 256, "hop_length": 64, "depth": 2, "widths": [2, 4, 4]},
        "two_stage",
        _RESTORES,
    ),
    "wave_unet": Architecture(WaveUNet, "restore", _SMALL_WAVE_UNET, "waveform_mse", _RESTORES),
    "wave_unet_separator": Architecture(
        WaveUNet, "separate", {**_SMALL_WAVE_UNET, "instruments": ["drums", "vocals"]}, "waveform_mse", _SEPARATES
    ),
    "wave_unet_sinc": Architecture(SincWaveUNet, "restore", {"features": 8, "levels": 3}, "waveform_l1", _RESTORES),
    "wave_unet_sinc_separator": Architecture(
        SincWaveUNet,
        "separate",
        {"features": 8, "levels": 2, "instruments": ["drums", "vocals"]},
        "waveform_l1",
        _SEPARATES,
    ),
}
"""Every network by its name in weights files and recipes."""
