"""Helpers of the generators: filters by their response, vowels by their harmonics, positions by their effect."""

import numpy as np
import pytest

from concertclean.synthesis import shaping

RATE = 44_100


def response_db(impulse_response: np.ndarray, frequency_hz: float) -> float:
    turns = np.exp(-2j * np.pi * frequency_hz * np.arange(impulse_response.shape[1]) / RATE)
    return 20 * float(np.log10(abs(impulse_response[0] @ turns)))


def impulse(n_samples: int = RATE) -> np.ndarray:
    return np.eye(1, n_samples, dtype=np.float32)


def test_levels_of_a_known_waveform() -> None:
    waveform = np.array([[3.0, -4.0], [0.0, 0.0]], np.float32)
    assert shaping.rms(waveform) == 2.5
    assert shaping.rms(shaping.unit_rms(waveform)) == pytest.approx(1, abs=1e-6)
    assert np.abs(shaping.unit_peak(waveform)).max() == 1


@pytest.mark.parametrize("n_samples", [0, 5])
def test_silence_has_no_level_to_bring_up(n_samples: int) -> None:
    silence = np.zeros((2, n_samples), np.float32)
    assert shaping.rms(silence) == 0
    assert np.array_equal(shaping.unit_rms(silence), silence)
    assert np.array_equal(shaping.unit_peak(silence), silence)


def test_log_uniform_gives_every_octave_the_same_share() -> None:
    """Four standard deviations of 4000 draws, share 1/3, are 0.03."""
    rng = np.random.default_rng(0)
    drawn = np.array([shaping.log_uniform(rng, 1, 8) for _ in range(4000)])
    shares = np.histogram(drawn, [1, 2, 4, 8])[0] / 4000
    assert shares.sum() == 1
    assert np.abs(shares - 1 / 3).max() < 0.03


@pytest.mark.parametrize(("kind", "order"), [("low", 1), ("high", 1), ("low", 3), ("high", 5)])
def test_filter_is_3_db_down_at_its_edge_and_falls_6_db_an_octave_for_each_order(kind: str, order: int) -> None:
    """The edge is met to 1.5 %, which is 0.4 dB on the slope of order 5; an octave off an edge of 1 kHz is straight."""
    heard = shaping.filtered(impulse(), kind, 1000, RATE, order=order)  # type: ignore[arg-type]
    step = 8 if kind == "low" else 1 / 8
    assert response_db(heard, 1000) == pytest.approx(-3.01, abs=0.4)
    assert response_db(heard, 1000 * step) == pytest.approx(-18.1 * order, abs=0.06 * 18.1 * order)
    assert response_db(heard, 1000 / step) == pytest.approx(0, abs=0.1)


def test_edge_beyond_the_band_is_brought_into_it() -> None:
    heard = shaping.filtered(impulse(), "low", 40_000, RATE)
    assert np.array_equal(heard, shaping.filtered(impulse(), "low", 0.45 * RATE, RATE))


@pytest.mark.parametrize(("centre_hz", "bandwidth_hz"), [(10, 20), (500, 3000), (1500, 100), (3000, 400)])
def test_resonator_peaks_at_its_centre_however_broad(centre_hz: float, bandwidth_hz: float) -> None:
    heard = shaping.resonant(impulse(), centre_hz, bandwidth_hz, RATE)
    peak = response_db(heard, centre_hz)
    assert peak > response_db(heard, centre_hz * 0.9)
    assert peak > response_db(heard, centre_hz * 1.1)


def test_narrow_resonator_has_its_bandwidth() -> None:
    heard = shaping.resonant(impulse(), 1500, 60, RATE)
    peak = response_db(heard, 1500)
    assert [response_db(heard, hz) - peak for hz in (1470, 1530)] == pytest.approx([-3.01, -3.01], abs=0.2)


def test_vowel_is_a_line_spectrum_with_breath() -> None:
    """Breath has 0.15² of the voice's power over all frequencies; lines of 10 Hz take all but that."""
    sound = shaping.vowel(np.random.default_rng(1), np.full(RATE, 300.0), RATE)
    power = np.abs(np.fft.rfft(sound[0] * np.hanning(RATE))) ** 2
    near_line = np.abs((np.arange(len(power)) + 150) % 300 - 150) <= 5
    assert power[near_line].sum() / power.sum() == pytest.approx(1 / (1 + 0.15**2), abs=0.005)


def test_sentence_speaks_in_syllables_at_a_speaking_pitch() -> None:
    """Lowest strong line of the long-term spectrum: 90 to 280 Hz, moved by at most a factor 1.2·1.2."""
    for seed in range(5):
        sound = shaping.sentence(np.random.default_rng(seed), RATE)
        power = np.abs(np.fft.rfft(sound[0])) ** 2
        hz = np.fft.rfftfreq(sound.shape[1], 1 / RATE)
        assert 0.36 < sound.shape[1] / RATE < 4.8
        assert np.abs(sound).max() == 1
        assert power[(hz > 70) & (hz < 5000)].sum() > 0.9 * power.sum()
        assert power[hz < 60].sum() < 0.01 * power.sum()


def test_room_starts_with_its_direct_path_and_decays_exponentially() -> None:
    response = shaping.room_response(np.random.default_rng(3), RATE)
    assert np.abs(response).max(axis=0).argmax() == 0
    decay = 10 * np.log10(np.square(response[:, 1:]).sum(axis=0)[::-1].cumsum()[::-1])
    n_samples = len(decay)
    # The last 60 dB take the whole length; Schroeder's curve is straight over its first half.
    assert decay[0] - decay[n_samples // 2] == pytest.approx(30, abs=2)


def test_fades_start_and_end_in_silence() -> None:
    faded = shaping.faded(np.ones((1, 101), np.float32), 10, 50)
    assert faded[0, [0, 5, 10, 50, 75, 100]].tolist() == [0, 0.5, 1, 1, 0.5, 0]


def test_placed_adds_up_what_overlaps_and_cuts_what_lies_outside() -> None:
    ones = np.ones((1, 4), np.float32)
    placed = shaping.placed([(-2, ones), (1, 2 * ones), (6, ones), (50, ones), (-9, ones)], 8)
    assert placed.tolist() == [[1, 3, 2, 2, 2, 0, 1, 1]]


def test_seat_spreads_a_sound_with_equal_power() -> None:
    sound = np.random.default_rng(0).standard_normal((1, 2000)).astype(np.float32)
    powers = [np.square(shaping.Position(1.0, 18_000, pan).placed(sound, RATE)).sum() for pan in (0, 0.3, 0.5, 1)]
    assert powers == pytest.approx([powers[0]] * 4, rel=1e-5)
    left = shaping.Position(1.0, 18_000, 0.0).placed(sound, RATE)
    assert np.abs(left[1]).max() < 1e-6 * np.abs(left[0]).max()


def test_far_seats_are_quiet_and_dull() -> None:
    rng = np.random.default_rng(0)
    positions = [shaping.Position.draw(rng) for _ in range(300)]
    levels, edges = (
        np.log([position.level for position in positions]),
        np.log([position.edge_hz for position in positions]),
    )
    assert np.std(levels) == pytest.approx(0.6, abs=0.1)
    assert np.corrcoef(levels, edges)[0, 1] > 0.7
    assert shaping.Position.draw_near(rng).edge_hz == 18_000


def test_layered_people_speak_and_rest_in_turn() -> None:
    """One person, utterances of 0.1 s, rests of 0.4 s in the mean: 20 s hold 40 ± 4·4.3 of them."""

    def utter(_: np.random.Generator) -> np.ndarray:
        return np.ones((1, RATE // 10), np.float32)

    rng = np.random.default_rng(0)
    crowd = shaping.layered(rng, 20 * RATE, RATE, utter=utter, starts=[-0.05], rest_seconds=0.4)
    is_loud = np.abs(crowd).max(axis=0) > 0.5 * np.abs(crowd).max()
    begins = np.flatnonzero(np.diff(is_loud.astype(int)) == 1)
    assert crowd.shape == (2, 20 * RATE)
    assert is_loud[1000]  # one who began before the excerpt is in the middle of it
    assert 40 - 18 <= len(begins) + 1 <= 40 + 18
    assert np.diff(begins).min() >= RATE // 10 - 1
