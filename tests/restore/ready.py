"""Restorers of one network that is at hand, without weights files."""

from types import SimpleNamespace
from typing import Any

from concertclean.config.denoise import DenoiseSettings
from concertclean.restore.build import ReadyNetwork, Restorer
from concertclean.restore.chain import Chain
from concertclean.restore.pipeline import Denoiser


def denoiser_of(enhancer: Any, **settings: Any) -> Denoiser:
    """What restores files with one network."""
    given = DenoiseSettings(**settings)
    weights: Any = SimpleNamespace(sha256="0" * 64)
    network = ReadyNetwork("network", weights, enhancer)
    return Denoiser(Restorer(("network",), given, (network,), chain=Chain((enhancer,))), given)
