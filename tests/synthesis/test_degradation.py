"""Degradations keep time: impulses stay, lengths stay; what acts on both waveforms acts alike."""

import numpy as np
import pytest

from concertclean.synthesis import degradation
from concertclean.synthesis.degradation import Band
from concertclean.synthesis.shaping import rms

RATE = 44_100
Rng = np.random.default_rng


def impulse(position: int, n_samples: int, channels: int = 1) -> np.ndarray:
    waveform = np.zeros((channels, n_samples), np.float32)
    waveform[:, position] = 1
    return waveform


def music(n_seconds: float = 2.0, channels: int = 2) -> np.ndarray:
    """Decaying chords at 4 a second, what every codec is made for; rms 0.1."""
    rng, time = Rng(0), np.arange(int(n_seconds * RATE)) / RATE
    envelope = np.exp(-6 * (time % 0.25))
    pitches = 220 * 2 ** (rng.integers(0, 24, (channels, 5)) / 12)
    chords = [sum(np.sin(2 * np.pi * pitch * time) for pitch in row) * envelope for row in pitches]
    return (0.1 * np.stack(chords) / rms(np.stack(chords))).astype(np.float32)


def level_db(waveform: np.ndarray, frequency_hz: float) -> float:
    turns = np.exp(-2j * np.pi * frequency_hz * np.arange(waveform.shape[1]) / RATE)
    return 20 * float(np.log10(abs(waveform[0] @ turns)))


def lag(reference: np.ndarray, estimate: np.ndarray) -> int:
    """Samples by which the estimate comes later, by the peak of the cross-correlation."""
    n_fft = 2 * reference.shape[1]
    spectrum = np.fft.rfft(estimate[0], n_fft) * np.conj(np.fft.rfft(reference[0], n_fft))
    peak = int(np.fft.irfft(spectrum).argmax())
    return peak if peak < n_fft // 2 else peak - n_fft


def snr_db(reference: np.ndarray, estimate: np.ndarray) -> float:
    return 20 * np.log10(rms(reference) / rms(estimate - reference))


@pytest.mark.parametrize("order", [1, 5])
def test_band_is_3_db_down_at_its_edges(order: int) -> None:
    """Edges are met to 1.5 %, 0.4 dB on a slope of order 5; the other edge takes 0.1 dB at most."""
    heard = degradation.band_limit(Rng(0), impulse(0, RATE), RATE, band=Band(100, 6000, order))
    assert level_db(heard, 800) == pytest.approx(0, abs=0.2)
    assert [level_db(heard, hz) for hz in (100, 6000)] == pytest.approx([-3, -3], abs=0.5)
    assert level_db(heard, 25) == pytest.approx(-12 * order, abs=0.6 * order)


def test_bands_follow_their_laws() -> None:
    rng = Rng(1)
    narrow = [degradation.narrow_band(rng) for _ in range(200)]
    wide = [degradation.wide_band(rng) for _ in range(200)]
    assert {band.order for band in narrow} == {5}
    assert {band.order for band in wide} == {1, 2, 3}
    for bands, low, high in ((narrow, (50, 150), (5000, 10_000)), (wide, (50, 250), (3000, 12_000))):
        for edges, (least, most) in (([b.low_hz for b in bands], low), ([b.high_hz for b in bands], high)):
            assert least <= min(edges) < least + 0.05 * (most - least)
            assert most - 0.05 * (most - least) < max(edges) <= most


def test_drawn_bands_lose_treble_and_keep_the_middle() -> None:
    for seed in range(5):
        heard = degradation.band_limit(Rng(seed), impulse(0, RATE), RATE)
        assert level_db(heard, 800) > -1.5
        assert level_db(heard, 20_000) < -6


def test_colour_is_gentle() -> None:
    """First order: at 1 kHz at most 1 dB for the lower edge of 500 Hz and 1 dB for the upper of 2 kHz."""
    colours = [degradation.colour(Rng(seed), impulse(0, RATE), RATE) for seed in range(12)]
    assert all(-2.2 < level_db(heard, 1000) < 0.1 for heard in colours)
    assert min(level_db(heard, 15_000) for heard in colours) < -6
    assert min(level_db(heard, 40) for heard in colours) < -6
    assert any(np.array_equal(heard, impulse(0, RATE)) for heard in colours)


@pytest.mark.parametrize("channels", [1, 2])
def test_reverberation_starts_with_the_direct_path_at_its_time(channels: int) -> None:
    response = np.zeros((channels, 5000), np.float32)
    response[:, 700] = -0.5  # the direct path, late and upside down
    response[:, 1700] = 0.2
    wet = degradation.reverberate(impulse(2000, 8000, channels), response)
    heard = np.flatnonzero(np.abs(wet[0]) > 1e-4)
    assert wet.shape == (channels, 8000)
    assert heard.tolist() == [2000, 3000]
    assert wet[0, 3000] / wet[0, 2000] == pytest.approx(-0.4, abs=1e-3)


@pytest.mark.parametrize("dry", [0.0, 0.5])
def test_reverberation_keeps_length_and_energy(dry: float) -> None:
    response = Rng(0).standard_normal((2, 20_000)) * np.exp(-np.arange(20_000) / 3000)
    response[:, 0] = 5
    wet = degradation.reverberate(music(), response.astype(np.float32), dry=dry)
    assert wet.shape == music().shape
    assert rms(wet) == pytest.approx(0.1, rel=1e-4)


def test_a_stereo_room_makes_mono_wide() -> None:
    response = Rng(1).standard_normal((2, 300)).astype(np.float32)
    wet = degradation.reverberate(music(0.5, channels=1), response)
    assert wet.shape == (2, RATE // 2)
    assert np.corrcoef(wet)[0, 1] < 0.9


def test_silence_stays_silent_in_a_room_and_a_silent_room_is_refused() -> None:
    silence = np.zeros((2, 100), np.float32)
    assert not degradation.reverberate(silence, impulse(0, 10)).any()
    with pytest.raises(ValueError, match="silent"):
        degradation.reverberate(silence, np.zeros((1, 10), np.float32))


def test_microphone_applies_a_response_at_time_zero_and_unit_energy() -> None:
    """Largest sample 4 of (0, 3, 4): energy 25, so the impulse becomes 0.6 one sample early and 0.8 in its place."""
    heard = degradation.microphone(impulse(50, 100, 2), np.array([[0, 3, 4]], np.float32))
    assert heard[:, 49:51] == pytest.approx(np.array([[0.6, 0.8]] * 2), abs=1e-6)
    assert np.abs(np.delete(heard, [49, 50], axis=1)).max() < 1e-6


def test_microphone_is_linear() -> None:
    response = degradation.microphone_response(Rng(0), RATE)
    one, other = music(), Rng(1).standard_normal((2, 2 * RATE)).astype(np.float32)
    both = degradation.microphone(one + other, response)
    apart = degradation.microphone(one, response) + degradation.microphone(other, response)
    assert np.allclose(both, apart, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_drawn_microphones_are_deaf_at_the_ends_and_keep_time(seed: int) -> None:
    response = degradation.microphone_response(Rng(seed), RATE)
    heard = degradation.microphone(impulse(RATE // 2, RATE), response)
    assert abs(int(np.abs(heard).argmax()) - RATE // 2) <= 1
    middle = level_db(heard, 900)
    assert level_db(heard, 20) < middle - 8  # 40 Hz of second order: 12 dB an octave below, less 6 for a bump
    assert level_db(heard, 21_000) < middle  # 18 kHz of second order
    assert rms(heard) == pytest.approx(rms(impulse(0, RATE)), rel=0.01)


def test_gain_control_brings_levels_together() -> None:
    """Noise at -40 and then -10 dB; seconds after each change the level is the target, within 1 dB of noise."""
    levels = np.repeat([0.01, 0.316, 0.01], 6 * RATE)
    waveform = (levels * Rng(0).standard_normal((2, 18 * RATE))).astype(np.float32)
    gain = degradation.gain_control(waveform, RATE, target_db=-25.0, attack_seconds=0.1, release_seconds=1.0)
    controlled = waveform * gain
    assert gain.shape == (1, 18 * RATE)
    for start in (1, 7, 17):
        settled = rms(controlled[:, start * RATE : (start + 1) * RATE])
        assert 20 * np.log10(settled) == pytest.approx(-25, abs=1)


def test_gain_control_is_quick_down_and_slow_up() -> None:
    """Level follower: after one time constant 63 % of the 30 dB are done, 19 of them; ±2 dB for noise and steps."""
    levels = np.repeat([0.01, 0.316, 0.01], 4 * RATE)
    waveform = (levels * Rng(1).standard_normal((1, 12 * RATE))).astype(np.float32)
    gain_db = 20 * np.log10(degradation.gain_control(waveform, RATE, attack_seconds=0.2, release_seconds=2.0)[0])
    assert gain_db[4 * RATE - 1] - gain_db[int(4.2 * RATE)] == pytest.approx(19, abs=2)
    assert gain_db[10 * RATE] - gain_db[8 * RATE - 1] == pytest.approx(19, abs=2)
    assert np.abs(np.diff(gain_db)).max() * RATE < 30 / 0.2 * 1.5  # dB a second: no jumps


def test_strength_of_gain_control() -> None:
    levels = np.repeat([0.01, 0.316], 4 * RATE)
    waveform = (levels * Rng(2).standard_normal((1, 8 * RATE))).astype(np.float32)
    gain_db = 20 * np.log10(degradation.gain_control(waveform, RATE, strength=0.5)[0])
    assert gain_db[3 * RATE] - gain_db[7 * RATE] == pytest.approx(15, abs=1)
    assert np.array_equal(degradation.gain_control(waveform, RATE, strength=0.0), np.ones((1, 8 * RATE)))


@pytest.mark.parametrize("n_samples", [0, 1, 1000])
def test_gain_of_silence_is_bounded(n_samples: int) -> None:
    gain = degradation.gain_control(np.zeros((2, n_samples), np.float32), RATE)
    assert gain.shape == (1, n_samples)
    assert (np.abs(20 * np.log10(gain)) <= 30.001).all()


def test_clipping() -> None:
    ramp = np.linspace(-2, 2, 401, dtype=np.float32)[None]
    hard, soft = degradation.hard_clip(ramp, 0.5), degradation.soft_clip(ramp, 0.5)
    assert np.array_equal(hard, np.minimum(np.maximum(ramp, -0.5), 0.5))
    assert np.abs(soft).max() < 0.5
    assert (np.diff(soft[0]) > 0).all()
    assert soft[0, 201] == pytest.approx(0.01, abs=1e-5)  # what is quiet stays
    assert soft[0, 250] == pytest.approx(0.5 * np.tanh(1), abs=1e-6)


@pytest.mark.parametrize(
    ("format", "bit_rate", "least_snr_db"),
    [("m4a", 128_000, 20), ("mp3", 128_000, 20), ("opus", 96_000, 10), ("ogg", 112_000, 15)],
)
def test_codec_gives_the_waveform_back_in_its_place(format: str, bit_rate: int, least_snr_db: float) -> None:
    """Lossy, so below 60 dB; Opus keeps energies rather than waveforms and gets the lowest bound."""
    waveform = music()
    back = degradation.codec(waveform, RATE, format=format, bit_rate=bit_rate)
    assert back.shape == waveform.shape
    assert back.dtype == np.float32
    assert lag(waveform, back) == 0
    assert least_snr_db < snr_db(waveform, back) < 60


def test_fewer_bits_are_worse() -> None:
    waveform = music() + (0.02 * Rng(0).standard_normal((2, 2 * RATE))).astype(np.float32)
    ratios = [snr_db(waveform, degradation.codec(waveform, RATE, bit_rate=rate)) for rate in (32_000, 96_000, 256_000)]
    assert ratios[0] + 1 < ratios[1] < ratios[2] - 1


@pytest.mark.parametrize("n_samples", [0, 1, 1000])
@pytest.mark.parametrize("format", ["m4a", "mp3", "opus", "ogg"])
def test_codec_keeps_odd_lengths(format: str, n_samples: int) -> None:
    assert degradation.codec(np.full((1, n_samples), 0.1, np.float32), RATE, format=format).shape == (1, n_samples)


def spy_on(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    """Numbers of channels with which a function of the module is called."""
    calls, real = [], getattr(degradation, name)

    def spy(waveform: np.ndarray, *args: object, **kwargs: object) -> np.ndarray:
        calls.append(len(waveform))
        return real(waveform, *args, **kwargs)

    monkeypatch.setattr(degradation, name, spy)
    return calls


def test_phone_applies_microphone_and_gain_to_both_alike() -> None:
    """A clean waveform of half the level stays so; a gain control that listened to it would bring it up."""
    waveform, n_equal = music(), 0
    for seed in range(12):
        degraded, clean = degradation.phone(Rng(seed), waveform, 0.5 * waveform, RATE, codec_share=0.0)
        assert degraded.shape == clean.shape == waveform.shape
        quiet = np.abs(degraded) < 0.01 * np.abs(degraded).max()  # where even soft clipping is straight
        assert np.allclose(clean[quiet], 0.5 * degraded[quiet], atol=1e-4 * np.abs(degraded).max())
        n_equal += np.allclose(clean, 0.5 * degraded, atol=1e-4)
    assert 4 <= n_equal < 12  # clipping in 0.3 of the pairs


def test_phone_draws_gains_for_half_of_the_pairs() -> None:
    """Loud after quiet music: without gain control the step of 20 dB stays."""
    step = np.concatenate([0.1 * music(), music()], axis=1)
    response = impulse(0, 10)
    steps_db = []
    for seed in range(12):
        _, clean = degradation.phone(Rng(seed), step, step, RATE, response, codec_share=0.0)
        steps_db.append(20 * np.log10(rms(clean[:, 3 * RATE :]) / rms(clean[:, RATE : 2 * RATE])))
    is_untouched = np.abs(np.array(steps_db) - 20) < 0.1
    assert 2 <= is_untouched.sum() <= 10
    assert min(steps_db) < 12


def test_phone_codes_the_degraded_waveform_only(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = spy_on(monkeypatch, "codec")
    waveform, response = music(0.5), impulse(0, 10)
    for seed in range(4):
        degraded, clean = degradation.phone(Rng(seed), waveform, waveform, RATE, response, codec_share=1.0)
        assert lag(clean, degraded) == 0
        assert not np.array_equal(degraded, clean)
    assert calls == [2] * 4


def test_phone_gives_the_degraded_waveform_no_more_than_full_scale() -> None:
    loud = 30 * music()
    degraded, clean = degradation.phone(Rng(3), loud, loud, RATE, impulse(0, 10), codec_share=0.0)
    assert np.abs(degraded).max() <= 1
    assert np.abs(clean).max() > 1


def test_same_generator_state_same_pair() -> None:
    waveform = music(0.5)
    for one, other in zip(*(degradation.phone(Rng(7), waveform, waveform, RATE) for _ in range(2)), strict=True):
        assert np.array_equal(one, other)
