"""Settings of `concertclean denoise`, as they come from the command line or a TOML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, Field, field_validator, model_validator

from concertclean.config.reading import STRICT, read_toml, validated
from concertclean.config.times import Stretches, Time, is_stretch, parse_stretch
from concertclean.errors import ConfigError

OutputFormat = Literal[
    "auto", "keep", "wav", "flac", "m4a", "alac", "mp3", "opus", "ogg", "mp4", "mov", "3gp", "mkv", "webm", "avi"
]
Codec = Literal["aac", "mp3", "opus", "flac", "alac", "pcm"]
BitDepth = Literal["keep", "16", "24", "32", "32f", "64f"]
Clip = Literal["warn", "rescale", "limit"]

PRESETS = {
    "78rpm": "dethump,decrackle,dehum,steady,gramophone",
    "vinyl": "declick,decrackle,dehum,steady",
    "tape": "dehum,steady",
    "concert": "concert",
}
"""The model that a preset stands for, for each kind of recording.

What stands before `steady` works twice, so networks come behind it. Clicks would hide the floor, so they go first.
"""

AUTO = "auto"
"""The model that is chosen for each recording after a look at it."""

NOISE_FOUND = "auto"
"""The noise profile that the program looks for."""

NETWORK_MAX_REDUCTION_DB = 26.0
"""How far a network lowers anything unless `max_reduction_db` is given: what it takes for noise by mistake stays."""

NETWORK_FLOOR = 10 ** (-NETWORK_MAX_REDUCTION_DB / 20)

_SHORTEST_SECONDS = 0.1


class RestoringSettings(BaseModel):
    """What is removed.

    Attributes:
        model: "auto", which looks at each recording and chooses; name or alias of a model, a method without weights,
            the path of a weights file, or several of them between commas, which work in this order.
        preset: key of `PRESETS`; stands for the model.
        noise_profile: where the noise is alone, for `lsa`: START-END in the recording, as 0:00-0:01.5 or 3-4,
            "auto" for the longest stretch that a classifier finds in it, or a file; None: it is followed.
        strength: part of what was found that is subtracted, 0 to 1.
        max_reduction_db: nothing is lowered by more than this, dB; None: the gains of networks are held to
            `NETWORK_MAX_REDUCTION_DB`, methods to nothing.
    """

    model_config = STRICT

    model: str = AUTO
    preset: Literal["78rpm", "vinyl", "tape", "concert"] | None = None
    noise_profile: str | None = None
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    max_reduction_db: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _model_of_preset(cls, values: Any) -> Any:
        chain = PRESETS.get(str(values.get("preset"))) if isinstance(values, dict) else None
        return values if chain is None else {"model": chain, **values}

    @field_validator("noise_profile")
    @classmethod
    def _readable_stretch(cls, value: str | None) -> str | None:
        if value is not None and is_stretch(value):
            parse_stretch(value, least_seconds=_SHORTEST_SECONDS)
        return value

    @property
    def noise_stretch(self) -> tuple[float, float] | None:
        """Start and end of the noise in the recording, s; None where the noise is a file, or not given."""
        given = self.noise_profile
        return parse_stretch(given) if given is not None and is_stretch(given) else None

    @property
    def noise_file(self) -> Path | None:
        """The recording of noise alone; None where the noise is a stretch, looked for, or not given."""
        is_file = self.noise_profile not in (None, NOISE_FOUND) and self.noise_stretch is None
        return Path(str(self.noise_profile)) if is_file else None

    @property
    def network_floor(self) -> float:
        """Least gain of a network, 0 to 1; see `max_reduction_db`."""
        return NETWORK_FLOOR if self.max_reduction_db is None else 0.0

    @property
    def share(self) -> float:
        """Part of what was found that is subtracted, 0 to 1.

        A largest reduction of D dB leaves `10^(-D/20)` of whatever would be removed.
        """
        if self.max_reduction_db is None:
            return self.strength
        return min(self.strength, 1.0 - 10 ** (-self.max_reduction_db / 20))


class RunningSettings(BaseModel):
    """How it runs.

    Attributes:
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: of the network's inner layers.
        segment_seconds: seconds a network call; None: what the model was made for, else 6.
        overlap_ratio: part of a segment that is cross-faded with the next, 0 to 0.5.
        batch_size: segments a call on a GPU.
        threads: CPU cores; 0: all.
        offline: never use the network.
    """

    model_config = STRICT

    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    segment_seconds: Annotated[float, Field(gt=0)] | None = None
    overlap_ratio: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    batch_size: Annotated[int, Field(ge=1)] = 8
    threads: Annotated[int, Field(ge=0)] = 0
    offline: bool = False


class OutputSettings(BaseModel):
    """What is written.

    Attributes:
        start_seconds: what is processed begins here; also as 1:15.
        duration_seconds: and is so long; None: to the end.
        leave: parts of the recording that stay as they are, START-END as 1:15-2:05, several between commas.
        audio_stream: which sound of a film, from 1; None: the one that the file marks as default, as players do.
        format: of the output; "auto" leaves a video a video and makes WAV of everything else, "keep" takes the
            recording's own. Those of videos are for videos; the others take the sound alone.
        codec: of the new sound of a video; None: that of before, wherever it can be written.
        bit_depth: of a lossless output; "keep" takes the recording's own, 24 for lossy ones.
        loudness: "off", "match" (as loud as before) or LUFS.
        clip: what happens to samples beyond full scale.
        removed: also write what was removed; "residual" is understood, too.
    """

    model_config = STRICT

    start_seconds: Annotated[Time, Field(ge=0)] = 0.0
    duration_seconds: Annotated[Time, Field(gt=0)] | None = None
    leave: Stretches = ()
    audio_stream: Annotated[int, Field(ge=1)] | None = None
    format: OutputFormat = "auto"
    codec: Codec | None = None
    bit_depth: BitDepth = "keep"
    loudness: Literal["off", "match"] | Annotated[float, Field(ge=-70, le=0)] = "off"
    clip: Clip = "warn"
    removed: bool = Field(default=False, validation_alias=AliasChoices("removed", "residual"))

    @property
    def is_whole(self) -> bool:
        """Whether all of the recording is processed."""
        return not self.start_seconds and self.duration_seconds is None

    def processed_seconds(self, declared: float | None) -> float | None:
        """Seconds that are processed of a recording that declares a length, which may be unknown, s."""
        if declared is None:
            return self.duration_seconds
        left = max(0.0, declared - self.start_seconds)
        return left if self.duration_seconds is None else min(left, self.duration_seconds)


class RestorerSettings(RunningSettings, RestoringSettings):
    """What a restorer is built from."""


class DenoiseSettings(OutputSettings, RestorerSettings):
    """All settings of `concertclean denoise`; a TOML file holds them in one table."""


def read_settings(path: Path | None, overrides: Mapping[str, object], *, place: str = "options") -> DenoiseSettings:
    """Settings of a TOML file with some of them overridden.

    Args:
        path: TOML file, or None for the defaults.
        overrides: settings by name; those that are None do not override.
        place: where these come from, for messages.

    Returns:
        The validated settings.

    Raises:
        ConfigError: the file cannot be read, or settings are unknown or out of range; all are listed.
    """
    values = {} if path is None else read_toml(path)
    given = {name: value for name, value in overrides.items() if value is not None}
    if "model" in given or "preset" in given:  # whichever the file has
        values = {name: value for name, value in values.items() if name not in ("model", "preset")}
    values |= given
    if {"model", "preset"} <= values.keys() and values["model"] != PRESETS.get(str(values["preset"])):
        raise ConfigError(f"{path or place}: a preset stands for a model; choose one of them")
    return validated(DenoiseSettings, values, str(path or place))
