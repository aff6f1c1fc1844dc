"""Settings of `concertclean denoise`, as they come from the command line or a TOML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from concertclean.config.reading import STRICT, read_toml, validated

OutputFormat = Literal["keep", "wav", "flac", "m4a", "alac", "mp3", "opus", "ogg"]
BitDepth = Literal["keep", "16", "24", "32", "32f"]
Clip = Literal["warn", "rescale", "limit"]


class DenoiseSettings(BaseModel):
    """Everything `concertclean denoise` can be told about how to restore a recording.

    Attributes:
        model: name or alias of a model, or the path of a weights file.
        strength: part of the residual that is subtracted, 0 to 1.
        max_reduction_db: nothing is lowered by more than this, dB; None: no such bound.
        start_seconds: what is processed begins here.
        duration_seconds: and is so long; None: to the end.
        format: of the output; "keep" takes the recording's own.
        bit_depth: of a lossless output; "keep" takes the recording's own, 24 for lossy ones.
        loudness: "off", "match" (as loud as before) or LUFS.
        clip: what happens to samples beyond full scale.
        residual: also write what was removed.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: of the network's inner layers.
        segment_seconds: seconds a network call; None: what the model was made for, else 6.
        overlap_ratio: part of a segment that is cross-faded with the next, 0 to 0.5.
        batch_size: segments a call on a GPU.
        threads: CPU cores; 0: all.
        offline: never use the network.
    """

    model_config = STRICT

    model: str = "concert"
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    max_reduction_db: Annotated[float, Field(gt=0)] | None = None
    start_seconds: Annotated[float, Field(ge=0)] = 0.0
    duration_seconds: Annotated[float, Field(gt=0)] | None = None
    format: OutputFormat = "wav"
    bit_depth: BitDepth = "keep"
    loudness: Literal["off", "match"] | Annotated[float, Field(ge=-70, le=0)] = "off"
    clip: Clip = "warn"
    residual: bool = False
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    segment_seconds: Annotated[float, Field(gt=0)] | None = None
    overlap_ratio: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    batch_size: Annotated[int, Field(ge=1)] = 8
    threads: Annotated[int, Field(ge=0)] = 0
    offline: bool = False

    @property
    def share(self) -> float:
        """Part of the residual that is subtracted, 0 to 1.

        A largest reduction of D dB leaves `10^(-D/20)` of whatever would be removed.
        """
        if self.max_reduction_db is None:
            return self.strength
        return min(self.strength, 1.0 - 10 ** (-self.max_reduction_db / 20))


def read_settings(path: Path | None, overrides: Mapping[str, object]) -> DenoiseSettings:
    """Settings of a TOML file with some of them overridden.

    Args:
        path: TOML file, or None for the defaults.
        overrides: settings by name; those that are None do not override.

    Returns:
        The validated settings.

    Raises:
        ConfigError: the file cannot be read, or settings are unknown or out of range; all are listed.
    """
    values = {} if path is None else read_toml(path)
    values |= {name: value for name, value in overrides.items() if value is not None}
    return validated(DenoiseSettings, values, str(path or "options"))
