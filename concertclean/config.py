"""Settings of a run, as they come from the command line or a TOML file; unknown keys are refused."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from concertclean.errors import ConfigError

OutputFormat = Literal["keep", "wav", "flac", "m4a", "alac", "mp3", "opus", "ogg"]
BitDepth = Literal["keep", "16", "24", "32", "32f"]
Clip = Literal["warn", "rescale", "limit"]


class DenoiseSettings(BaseModel):
    """Everything `concertclean denoise` can be told about how to restore a recording."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "concert"
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    max_reduction_db: Annotated[float, Field(gt=0)] | None = None
    start_seconds: Annotated[float, Field(ge=0)] = 0.0
    duration_seconds: Annotated[float, Field(gt=0)] | None = None
    format: OutputFormat = "wav"
    bit_depth: BitDepth = "keep"
    loudness: float | Literal["off", "match"] = "off"
    clip: Clip = "warn"
    residual: bool = False
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    segment_seconds: Annotated[float, Field(gt=0)] = 6.0
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


def read_settings(path: Path | None, overrides: dict[str, object]) -> DenoiseSettings:
    """Settings of a TOML file with some of them overridden.

    Args:
        path: TOML file, or None for the defaults.
        overrides: settings by name; those that are None do not override.

    Returns:
        The validated settings.

    Raises:
        ConfigError: the file cannot be read, or settings are unknown or out of range; all are listed.
    """
    values: dict[str, object] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read as TOML ({error})") from error
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return DenoiseSettings.model_validate(values)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc'][:1]))}: {e['msg']}, got {e['input']!r}" for e in error.errors()]
        raise ConfigError(f"{path or 'options'}: " + "; ".join(dict.fromkeys(wrong))) from error
