"""The law by which training items are mixed: levels, ratios, and how often each degradation comes."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from concertclean.config.reading import STRICT

Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[float, float]
_RANGES = (
    "snr_db", "level_db", "speeds", "layers", "vocals_db", "backing_db", "sung_db", "dense_db", "noise_speeds",
    "surface_speeds", "room_dry",
)  # fmt: skip


class BleedLaw(BaseModel):
    """How the stems of one song reach the microphones.

    Attributes:
        task: "bleed".
        gains: of the other stems in a microphone, drawn evenly; its own stem has 1.
        stem: name of the one instrument that a network is for; None for one that sees all microphones.
        speeds: playing speeds of training excerpts, pitch with them.
        levels_db: of a stem in an item, dB of the level it is stored at.
    """

    model_config = STRICT

    task: Literal["bleed"]
    gains: Range = (0.01, 0.5)
    stem: str | None = None
    speeds: Range = (1.0, 1.0)
    levels_db: Range = (-6.0, 6.0)

    @model_validator(mode="after")
    def _ranges_make_sense(self) -> Self:
        low, high = self.gains
        if not 0 <= low <= high < 1:
            raise ValueError(f"gains run from {low} to {high}; give two from 0 to below 1, the lower first")
        slow, fast = self.speeds
        if not 0 < slow <= fast:
            raise ValueError(f"speeds run from {slow} to {fast}; give two above 0, the lower first")
        if self.levels_db[0] > self.levels_db[1]:
            raise ValueError(f"levels_db run from {self.levels_db[0]} to {self.levels_db[1]}; give the lower first")
        return self


class SeparateLaw(BaseModel):
    """How the stems of songs become mixtures for a network that separates them.

    Attributes:
        task: "separate".
        gains: of each stem, drawn evenly.
        remixed_share: items whose stems come from different songs and places.
    """

    model_config = STRICT

    task: Literal["separate"]
    gains: Range = (1.0, 1.0)
    remixed_share: Share = 0.0

    @model_validator(mode="after")
    def _gains_make_sense(self) -> Self:
        low, high = self.gains
        if not 0 < low <= high:
            raise ValueError(f"gains run from {low} to {high}; give two above 0, the lower first")
        return self


class DetectLaw(BaseModel):
    """How items for the classifier of scenes are made.

    Attributes:
        task: "detect".
        crowd_db: signal-to-noise ratio of music under a crowd, drawn evenly.
        disc_db: likewise of a disc.
        level_db: rms of an item, dB of full scale.
        favourites: how many times as often a group of the dataset is drawn, by its name.
    """

    model_config = STRICT

    task: Literal["detect"]
    crowd_db: Range = (-8.0, 15.0)
    disc_db: Range = (0.0, 30.0)
    level_db: Range = (-45.0, -10.0)
    favourites: dict[str, Annotated[float, Field(gt=0)]] = {}

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for name in ("crowd_db", "disc_db", "level_db"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} runs from {low} down to {high}; give the lower end first")
        return self


class MixingLaw(BaseModel):
    """How a clean excerpt and noise become an item.

    Attributes:
        task: "concert" (crowds), "gramophone" (disc noise) or "reverb" (room, then noise).
        snr_db: signal-to-noise ratio of an ordinary item, measured over the item; drawn evenly.
        clean_share: items without noise: the network must leave clean music alone.
        noise_only_share: items without music.
        nearly_clean_share: items between the upper end of `snr_db` and 30 dB.
        level: "rms" brings the degraded to an rms in `level_db`; "gain" multiplies both by a gain in `level_db`, as in
            the papers.
        level_db: of full scale, or of one.
        degraded_db: gain of the degraded alone, after that, as where one side was scaled to avoid clipping.
        noise_gain_db: noise of an ordinary item at this gain of its stored level instead of at a ratio; None: at a
            ratio. Not for "gramophone", whose noise has no stored level.
        speeds: playing speeds of the music, pitch with it.
        swap_share: stereo items with left and right exchanged.
        mono_share: stereo items whose channels are made equal.
        layers: noises of a concert item, one on top of the other: at least, at most.
        synthetic_share: concert layers that are synthetic, and gramophone items without recorded noise.
        moving_share: concert layers that change their level in time.
        colour_share: concert layers and recorded surfaces that lose treble, and as many that lose bass.
        layer_mono_share: stereo concert layers whose channels are made equal.
        layer_swap_share: concert layers with left and right exchanged.
        surface_alone_share: gramophone items with recorded noise to which no synthetic noise is added.
        second_surface_share: of the recorded disc noises, those that are two recordings at once.
        surface_speeds: playing speeds of recorded surfaces, every octave as likely.
        surface_reversed_share: recorded surfaces that are played backwards.
        surface_fade: how repetitions of a short surface are joined, over 0.5 s: "power" keeps the power of noise,
            "hann" the amplitude of what is equal in both (half of a Hann window, as published for the two-stage U-Net).
        band_limit_share: items whose music is band-limited as on early recordings.
        wide_band_share: part of those whose edges are soft and anywhere; the others follow Li et al.
        band_limit_target: the clean side is band-limited too; else it keeps the full band, as in Li et al.
        room_share: items whose music, or both in task "reverb", is played in a room.
        room_dry: share of the music that does not pass through the room, drawn evenly; (0, 0): all of it passes.
        phone_share: items recorded by a phone: microphone, gain control, clipping.
        codec_share: part of those that went through a lossy codec as well.
        favourites: how many times as often a group of the dataset is drawn, by its name.
        song_share: items from songs whose vocals and backing are stored apart, where somebody sings.
        vocals_db: level of those vocals, dB of their level in the song.
        backing_db: level of the backing, likewise.
        a_cappella_share: part of those without the backing.
        sung_share: other items with a voice on top of the music.
        sung_db: level of that voice, dB of the music's.
        dense_share: items with two pieces of music at once.
        dense_db: level of the second, dB of the first.
        music_equaliser_share: items whose music, degraded and clean alike, passes a random smooth equaliser.
        music_equaliser_db: largest standard deviation of its knots; see `synthesis.variation`.
        noise_equaliser_share: concert layers, and gramophone items, whose noise passes one.
        noise_equaliser_db: likewise.
        noise_speeds: playing speeds of concert layers, every octave as likely.
        grain_share: recorded concert layers that become a cloud of their grains.
        reversed_share: concert layers that are played backwards.
        parted_share: stereo concert layers whose channels are parted by up to 0.2 s.
        effect_share: concert layers of other sounds that are not music: speech, animals, steps, objects.
        transfer_share: gramophone items whose noise follows what was measured of transfers; see `synthesis.transfer`.
    """

    model_config = STRICT

    task: Literal["concert", "gramophone", "reverb"]
    snr_db: Range
    clean_share: Share = 0.1
    noise_only_share: Share = 0.03
    nearly_clean_share: Share = 0.15
    level: Literal["rms", "gain"] = "rms"
    level_db: Range = (-38.0, -12.0)
    degraded_db: float = 0.0
    noise_gain_db: float | None = None
    speeds: Range = (0.9, 1.1)
    swap_share: Share = 0.5
    mono_share: Share = 0.1
    layers: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 3)
    synthetic_share: Share = 0.45
    moving_share: Share = 0.7
    colour_share: Share = 0.5
    layer_mono_share: Share = 0.3
    layer_swap_share: Share = 0.5
    surface_alone_share: Share = 0.5
    second_surface_share: Share = 0.3
    surface_speeds: Range = (0.7, 1.4)
    surface_reversed_share: Share = 0.5
    surface_fade: Literal["power", "hann"] = "power"
    band_limit_share: Share = 0.0
    wide_band_share: Share = 0.5
    band_limit_target: bool = True
    room_share: Share = 0.0
    room_dry: tuple[Share, Share] = (0.2, 0.9)
    phone_share: Share = 0.0
    codec_share: Share = 0.0
    favourites: dict[str, Annotated[float, Field(gt=0)]] = {}
    song_share: Share = 0.0
    vocals_db: Range = (-3.0, 6.0)
    backing_db: Range = (-8.0, 3.0)
    a_cappella_share: Share = 0.1
    sung_share: Share = 0.0
    sung_db: Range = (-8.0, 5.0)
    dense_share: Share = 0.0
    dense_db: Range = (-8.0, 2.0)
    music_equaliser_share: Share = 0.0
    music_equaliser_db: Annotated[float, Field(ge=0)] = 5.0
    noise_equaliser_share: Share = 0.0
    noise_equaliser_db: Annotated[float, Field(ge=0)] = 8.0
    noise_speeds: Range = (0.8, 1.25)
    grain_share: Share = 0.0
    reversed_share: Share = 0.0
    parted_share: Share = 0.0
    effect_share: Share = 0.0
    transfer_share: Share = 0.0

    @model_validator(mode="after")
    def _shares_and_ranges(self) -> Self:
        for name in _RANGES:
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} runs from {low} down to {high}; give the lower end first")
        if self.clean_share + self.noise_only_share + self.nearly_clean_share > 1:
            raise ValueError("clean_share, noise_only_share and nearly_clean_share add up to more than 1")
        if self.task == "gramophone" and self.noise_gain_db is not None:
            raise ValueError("noise_gain_db is not for gramophone, whose noise has no stored level; give snr_db alone")
        for name in ("speeds", "noise_speeds", "surface_speeds"):
            if getattr(self, name)[0] <= 0:
                raise ValueError(f"{name} begin at {getattr(self, name)[0]}, must be positive")
        return self
