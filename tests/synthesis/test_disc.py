"""Disc noise by its physics: slopes, rates, the turn of 60/78 s, and where a band or a line holds its energy."""

import numpy as np
import pytest
from scipy.signal import welch

from concertclean.synthesis import disc
from concertclean.synthesis.shaping import rms

RATE = 44_100
TURN = 60 / 78
Rng = np.random.default_rng


def share_in_band(waveform: np.ndarray, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(waveform[0])) ** 2
    hz = np.fft.rfftfreq(waveform.shape[1], 1 / RATE)
    return float(power[(hz >= low_hz) & (hz <= high_hz)].sum() / power.sum())


def click_starts(waveform: np.ndarray) -> np.ndarray:
    """Seconds at which a sample rises over 0.01 after 3 ms below: a click's tail is over by then."""
    loud = np.flatnonzero(np.abs(waveform[0]) > 0.01)
    return loud[np.diff(loud, prepend=-RATE) > 0.003 * RATE] / RATE


@pytest.mark.parametrize("slope", [-4.0, 0.0, 2.0])
def test_hiss_has_its_slope(slope: float) -> None:
    """Welch's spectrum of 20 s strays by 0.2 dB; the 20 Hz that keep the pole off 0 are not felt above 400 Hz."""
    hiss = disc.hiss(Rng(0), 20 * RATE, RATE, slope_db_per_octave=slope, bump_db=0.0, ripple_db=0.0)
    hz, power = welch(hiss[0], RATE, nperseg=4096)
    is_inside = (hz > 400) & (hz < 15_000)
    # Octaves weigh alike, not bins.
    fitted = np.polyfit(np.log2(hz[is_inside]), 10 * np.log10(power[is_inside]), 1, w=hz[is_inside] ** -0.5)[0]
    assert fitted == pytest.approx(slope, abs=0.1)
    assert rms(hiss) == pytest.approx(1, abs=1e-4)


def test_bump_lifts_a_broad_band() -> None:
    flat, bumped = (
        disc.hiss(Rng(1), 5 * RATE, RATE, slope_db_per_octave=0.0, bump_db=db, ripple_db=0.0) for db in (0.0, 12.0)
    )
    hz, before = welch(flat[0], RATE, nperseg=1024)
    ratio_db = 10 * np.log10(welch(bumped[0], RATE, nperseg=1024)[1] / before)
    inside = (hz > 100) & (hz < 20_000)
    assert ratio_db[inside].max() - ratio_db[inside].min() == pytest.approx(12, abs=1)


def test_a_ripple_changes_the_colour_by_as_much_as_asked() -> None:
    spectra = []
    for ripple in (0.0, 5.0):
        options = {"slope_db_per_octave": 0.0, "bump_db": 0.0, "ripple_db": ripple}
        hz, power = welch(disc.hiss(Rng(4), 20 * RATE, RATE, **options)[0], RATE, nperseg=4096)
        spectra.append(10 * np.log10(power[(hz > 50) & (hz < 16_000)]))
    bands = np.array_split(spectra[1] - spectra[0], 40)
    spread = np.std([band.mean() for band in bands])
    # The one curve of this seed, of rms 5 dB on average over seeds.
    assert 2 < spread < 10


def test_hiss_swings_once_a_turn() -> None:
    """Level by phase of the turn over 60 s: a cosine; white noise strays by 0.1 % in each of 24 parts."""
    hiss = disc.hiss(Rng(3), 60 * RATE, RATE)
    part = (np.arange(60 * RATE) / RATE / TURN * 24).astype(int) % 24
    level = np.sqrt(np.bincount(part, np.square(hiss[0], dtype=float)) / np.bincount(part))
    harmonics = np.abs(np.fft.rfft(level)) / 12
    assert 0.02 < harmonics[1] < 0.31
    assert harmonics[2:].max() < 0.2 * harmonics[1]


def test_crackle_has_its_rate() -> None:
    """600 clicks in a minute: four standard deviations are 98; one in thirty hides behind another."""
    crackle = disc.crackle(Rng(0), 60 * RATE, RATE, clicks_per_second=10, tail=2.0)
    assert len(click_starts(crackle)) == pytest.approx(590, abs=98)


def test_crackle_comes_again_with_the_turn() -> None:
    """0.4 + 0.6 cos⁴ of half the angle has a first harmonic of 0.3 / 0.625 = 0.48 of its mean; 1200 clicks: ±0.04."""
    starts = click_starts(disc.crackle(Rng(1), 120 * RATE, RATE, clicks_per_second=10, tail=2.0))

    def periodicity(period: float) -> float:
        return float(abs(np.exp(2j * np.pi * starts / period).mean()))

    assert 2 * periodicity(TURN) == pytest.approx(0.48, abs=0.12)
    assert max(periodicity(TURN * factor) for factor in (0.5 * 1.01, 0.97, 1.03, 1.5)) < 0.1


def test_crackle_is_heavy_tailed() -> None:
    """Pareto of exponent 1.3: the loudest of some thousand clicks stand far above the middle one."""
    crackle = disc.crackle(Rng(2), 60 * RATE, RATE, clicks_per_second=20, tail=1.3)
    starts = (click_starts(crackle) * RATE).astype(int)
    peaks = np.array([np.abs(crackle[0, at : at + 60]).max() for at in starts])
    assert np.quantile(peaks, 0.99) > 10 * np.median(peaks)
    assert np.median(peaks) < 2


def test_click_has_its_length() -> None:
    click = disc.click(Rng(0), 0.002, RATE)
    assert click.shape == (1, int(0.002 * RATE) + 2)
    power = np.mean([np.square(disc.click(Rng(seed), 0.002, RATE)[0]) for seed in range(400)], axis=0)
    # e^-4 in amplitude is -34.7 dB; the mean of 400 squares strays by 0.3 dB.
    assert 10 * np.log10(power[-1] / power[0]) == pytest.approx(-34.7, abs=1.5)


@pytest.mark.parametrize(("frequency_hz", "decay_seconds"), [(20, 0.12), (60, 0.05), (150, 0.03)])
def test_thump_has_its_frequency_and_decay(frequency_hz: float, decay_seconds: float) -> None:
    """On paper: f·(t - t²/2) is k/2 at the k-th zero, and the extremes fall by e in each decay."""
    thump = disc.thump(Rng(0), RATE, frequency_hz=frequency_hz, decay_seconds=decay_seconds)[0]
    zeros = np.flatnonzero(np.diff(np.signbit(thump[1:])))[:4] + 1.5
    k = np.arange(1, len(zeros) + 1)
    assert zeros / RATE == pytest.approx(1 - np.sqrt(1 - k / frequency_hz), abs=1.5 / RATE)
    time = np.arange(len(thump)) / RATE
    assert (np.abs(thump) <= np.exp(-time / decay_seconds) + 1e-6).all()
    extremes = np.flatnonzero(np.diff(np.sign(np.diff(np.abs(thump)))) < 0)[:5] + 1
    fitted = np.polyfit(extremes / RATE, np.log(np.abs(thump[extremes])), 1)[0]
    assert -1 / fitted == pytest.approx(decay_seconds, rel=0.1)  # extremes lie a little before the tops of the sine
    assert abs(thump[-1]) < 2e-3  # 60 dB down: no click at the end


@pytest.mark.parametrize("seed", range(4))
def test_scratches_come_every_one_to_three_turns(seed: int) -> None:
    scratches = disc.scratches(Rng(seed), 12 * RATE, RATE)[0]
    rise = np.abs(np.diff(scratches))
    hits = np.flatnonzero(rise > 0.15)
    starts = hits[np.diff(hits, prepend=-RATE) > 0.1 * RATE] / RATE
    turns = np.diff(starts) / TURN
    assert len(starts) >= 4
    assert starts[0] < TURN
    assert turns == pytest.approx([round(turns[0])] * len(turns), abs=0.01)  # 7 ms: where in the click it is loud
    assert 1 <= round(turns[0]) <= 3


def test_rumble_lies_in_its_band() -> None:
    """Resonances of 4 to 80 Hz, an octave of room on both sides for their skirts."""
    rumbles = [disc.rumble(Rng(seed), 10 * RATE, RATE) for seed in range(40)]
    shares = [share_in_band(rumble, 2, 160) for rumble in rumbles]
    assert np.median(shares) > 0.98
    assert min(shares) > 0.9
    assert all(rms(rumble) == pytest.approx(1, abs=1e-4) for rumble in rumbles)


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_is_a_line_spectrum(mains_hz: float) -> None:
    hum = disc.hum(Rng(0), 2 * RATE, RATE, mains_hz=mains_hz)
    power = np.abs(np.fft.rfft(hum[0])) ** 2
    lines = np.round(np.arange(1, 8) * mains_hz * 2).astype(int)  # bins of 0.5 Hz hold whole periods
    assert power[lines].sum() / power.sum() > 0.9999
    amplitudes = np.sqrt(power[lines]) / RATE
    assert (amplitudes <= 1 / np.arange(1, 8) + 1e-4).all()
    assert (amplitudes > 0).sum() == 7


def test_hum_draws_the_mains_of_either_side_of_the_ocean() -> None:
    """Seven lines hold it all; only 300 Hz is a line of both."""
    kinds = set()
    for seed in range(8):
        hum = disc.hum(Rng(seed), RATE, RATE)
        shares = [sum(share_in_band(hum, k * mains - 1, k * mains + 1) for k in range(1, 8)) for mains in (50, 60)]
        kinds.add(int(np.argmax(shares)))
        assert max(shares) > 0.99
        assert min(shares) < 0.5
    assert kinds == {0, 1}


def test_loop_repeats_after_whole_turns() -> None:
    """3 s hold three turns and the fade of 0.5 s; turns at 44.1 kHz have 33,923 samples."""
    noise = Rng(0).standard_normal((2, 3 * RATE)).astype(np.float32)
    looped = disc.loop_revolutions(noise, 10 * RATE, RATE)
    period, fade = 3 * 33_923, RATE // 2
    assert looped.shape == (2, 10 * RATE)
    assert np.array_equal(looped[:, :period], noise[:, :period])
    for start in (period, 2 * period, 3 * period):
        inner = slice(start + fade, min(start + period, 10 * RATE))
        assert np.array_equal(looped[:, inner], noise[:, fade : inner.stop - start])


def test_loop_keeps_the_power_of_noise_in_its_cross_fades() -> None:
    """Equal power: the mean over 40 fades strays by 1 %; a straight cross-fade would lose a third in the middle."""
    period, fade = 3 * 33_923, RATE // 2
    powers = []
    for seed in range(20):
        noise = Rng(seed).standard_normal((2, 3 * RATE)).astype(np.float32)
        joint = disc.loop_revolutions(noise, 5 * RATE, RATE)[:, period : period + fade]
        powers.append(np.square(joint).reshape(2, 9, -1).mean(axis=(0, 2)))
    assert np.mean(powers, axis=0) == pytest.approx(np.ones(9), abs=0.03)


def test_loop_with_the_published_fades_adds_halves_of_a_hann_window() -> None:
    """Amplitudes add up to one: a constant stays as it is, where fades of equal power raise it by up to 3 dB."""
    constant = np.ones((1, 3 * RATE), np.float32)
    assert np.allclose(disc.loop_revolutions(constant, 10 * RATE, RATE, fade_shape="hann"), 1, atol=1e-6)
    assert disc.loop_revolutions(constant, 10 * RATE, RATE).max() > 1.41
    period, fade = 3 * 33_923, RATE // 2
    noise = Rng(0).standard_normal((1, 3 * RATE)).astype(np.float32)
    looped = disc.loop_revolutions(noise, 5 * RATE, RATE, fade_shape="hann")
    rise = np.interp(np.arange(fade) + 0.5, np.arange(2 * fade + 1), np.hanning(2 * fade + 1))
    joint = noise[:, period : period + fade] * (1 - rise) + noise[:, :fade] * rise
    assert np.allclose(looped[:, period : period + fade], joint, atol=1e-5)


def test_loop_of_noise_shorter_than_a_turn_repeats_at_its_own_length() -> None:
    looped = disc.loop_revolutions(np.ones((1, 1000), np.float32), 5000, RATE)
    assert looped.shape == (1, 5000)
    # cos + sin of one and the same waveform: between 1 and √2.
    assert 0.999 < looped.min() <= looped.max() < 1.4143


def test_loop_of_long_or_tiny_noise() -> None:
    noise = Rng(0).standard_normal((1, 500)).astype(np.float32)
    assert np.array_equal(disc.loop_revolutions(noise, 200, RATE), noise[:, :200])
    assert np.array_equal(disc.loop_revolutions(noise[:, :1], 4, RATE), np.tile(noise[:, :1], 4))
    with pytest.raises(ValueError, match="0 samples"):
        disc.loop_revolutions(noise[:, :0], 4, RATE)


@pytest.mark.parametrize("seed", range(4))
def test_disc_noise_is_mono_at_an_rms_of_one(seed: int) -> None:
    made = disc.disc_noise(Rng(seed), 2 * RATE, RATE)
    assert made.shape == (1, 2 * RATE)
    assert made.dtype == np.float32
    assert rms(made) == pytest.approx(1, abs=1e-4)
    assert np.array_equal(made, disc.disc_noise(Rng(seed), 2 * RATE, RATE))


def test_disc_noise_has_recorded_noise_in_it_where_there_is_some() -> None:
    """A recorded tone of 9 kHz, 0.2 to 1 of level among parts of 0.1 to 4."""
    tone = np.sin(2 * np.pi * 9000 / RATE * np.arange(3 * RATE))[None].astype(np.float32)
    for seed in range(4):
        assert share_in_band(disc.disc_noise(Rng(seed), 2 * RATE, RATE, recorded=tone), 8990, 9010) > 0.01
        assert share_in_band(disc.disc_noise(Rng(seed), 2 * RATE, RATE), 8990, 9010) < 0.003


def test_disc_noises_differ() -> None:
    """Share below 100 Hz, where the rumble lies: from hardly any to most of the noise."""
    shares = [share_in_band(disc.disc_noise(Rng(seed), RATE, RATE), 0, 100) for seed in range(20)]
    assert min(shares) < 0.1
    assert max(shares) > 0.6
