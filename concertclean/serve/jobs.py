"""A job: one recording, what is to be done with it, and what came of it. One JSON file each, and what requests say."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from concertclean.config.denoise import AUTO, NETWORK_MAX_REDUCTION_DB, BitDepth, OutputFormat
from concertclean.config.reading import STRICT
from concertclean.config.times import Stretches

State = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})

MAX_REGION_SECONDS = 600.0
NO_LIMIT_DB = 120.0
"""A largest reduction so large that nothing can be heard of what it leaves."""


class Wish(BaseModel):
    """What is to be done with a recording.

    Attributes:
        model: "auto", a preset, or models and methods between commas.
        part: "preview": half a minute, where the recording is likely to change most; "region": as the times say;
            "whole".
        start_seconds, duration_seconds: of the region.
    """

    model_config = STRICT

    model: Annotated[str, Field(min_length=1, max_length=200)] = AUTO
    part: Literal["preview", "region", "whole"] = "preview"
    start_seconds: Annotated[float, Field(ge=0)] = 0.0
    duration_seconds: Annotated[float, Field(ge=0.5, le=MAX_REGION_SECONDS)] | None = None

    @model_validator(mode="after")
    def _has_times(self) -> "Wish":
        if self.part == "region" and self.duration_seconds is None:
            raise ValueError("a region needs duration_seconds")
        return self


class NewJob(Wish):
    """What `POST /api/jobs` takes.

    Attributes:
        upload: from `POST /api/uploads`.
        file: or a recording in the folder, as `GET /api/folder` names it.
    """

    upload: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> "NewJob":
        if (self.upload is None) == (self.file is None):
            raise ValueError("give either upload or file")
        return self

    @property
    def wish(self) -> Wish:
        """What is to be done, without the source."""
        return Wish(**{name: getattr(self, name) for name in Wish.model_fields})


class Sliders(BaseModel):
    """How much is removed; the meaning is that of the settings of these names.

    Attributes:
        strength: part of what was found that is removed, 0 to 1.
        max_reduction_db: nothing is lowered by more. None: no limit; only for methods without weights, because the
            gains of networks have a floor without one, at which nothing was found here.
    """

    model_config = STRICT

    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    max_reduction_db: Annotated[float, Field(gt=0, le=NO_LIMIT_DB)] | None = NETWORK_MAX_REDUCTION_DB


class Tuning(Sliders):
    """What `PUT /api/jobs/ID/tuning` takes: what somebody has set on the page.

    Attributes:
        leave: parts of the recording that stay as they are, seconds.
    """

    leave: Stretches = ()


class SaveRequest(Tuning):
    """What `POST /api/jobs/ID/save` takes; the meaning is that of the settings of these names.

    Attributes:
        format, bit_depth, loudness: of the file. The formats "auto" and "keep" leave a video a video, if all of it was
            processed.
    """

    format: OutputFormat = "auto"
    bit_depth: BitDepth = "keep"
    loudness: Literal["off", "match"] | Annotated[float, Field(ge=-70, le=0)] = "off"


class Listening(BaseModel):
    """What the page plays and draws of what was processed.

    Attributes:
        start_seconds: within the recording. seconds: length.
        sample_rate: Hz.
        channels: 1 or 2.
        gain: by which both sounds were lowered, so that they fit below full scale.
        lufs: integrated loudness of the recording, of the result at full strength, and of what is removed; None for
            silence.
        range_db: lowest and highest level to draw.
        column_seconds, lead_seconds: of the pictures: seconds of a column, and how far before 0 the first one begins.
        is_stream: both sounds are channels of one Opus file, the recording's first; else there is a FLAC of each.
        tile_seconds: length of a finer picture of a part, numbered from 0; None: there are none.
        tile_column_seconds: of its columns.
    """

    model_config = STRICT

    start_seconds: float
    seconds: float
    sample_rate: int
    channels: int = 2
    gain: float
    lufs: tuple[float | None, float | None, float | None]
    range_db: tuple[float, float]
    column_seconds: float
    lead_seconds: float
    is_stream: bool = False
    tile_seconds: float | None = None
    tile_column_seconds: float | None = None


class Result(BaseModel):
    """What was found in the part that was processed.

    Attributes:
        model: that found it, as the settings of a run name it; "": nothing, the recording is best left alone.
        has_networks: a stage is a network, whose gains have a floor unless a largest reduction is given.
        start_seconds, seconds: of the part. is_whole: it is all of the recording.
        listening: what can be heard of it.
        stamp: bytes and nanoseconds of the last change of the recording.
        warnings: "W1xx ...".
    """

    model_config = STRICT

    model: str
    has_networks: bool
    start_seconds: float
    seconds: float
    is_whole: bool
    listening: Listening
    stamp: tuple[int, int]
    warnings: tuple[str, ...] = ()


class Job(BaseModel):
    """A recording in the queue.

    Attributes:
        id: 16 hexadecimal digits.
        created: seconds since 1970.
        name: of the recording, as people know it.
        file: of a recording in the folder, relative to it; None: it was uploaded.
        stored: name of the uploaded file in the job's own folder.
        wish: what is to be done.
        state: where it stands.
        error: why it failed.
        diagnosis: see `Diagnosis.record`.
        seconds: length of the recording; None: not known yet.
        result: what was found.
        sliders: as they were set for this result; None: not yet.
        leave: parts that stay as they are.
        saved: names of the files that were made from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    created: float
    name: str
    file: str | None = None
    stored: str | None = None
    wish: Wish = Wish()
    state: State = "waiting"
    error: str | None = None
    diagnosis: dict[str, Any] | None = None
    seconds: float | None = None
    result: Result | None = None
    sliders: Sliders | None = None
    leave: Stretches = ()
    saved: tuple[str, ...] = ()
