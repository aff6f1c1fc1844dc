"""What the page plays of a result: exactly, or as one stream with tiles."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.audio_io.reader import AudioReader
from concertclean.report.pairs import Pair
from concertclean.serve.jobs import Listening
from concertclean.serve.listening import PICTURES, STREAM, prepare, tile_name

RATE = 44_100
SECONDS = 40.0


def prepared(folder: Path, *, channels: int, longest_exact: float) -> Listening:
    """Two noises of 40 s, most of them below 3 kHz, where Opus keeps the waveform."""
    rng = np.random.default_rng(0)
    for name in ("before", "removed"):
        white = rng.uniform(-1, 1, (round(SECONDS * RATE) + 7, channels))
        soft = np.apply_along_axis(np.convolve, 0, white, np.ones(8) / 16, "valid")
        soundfile.write(folder / f"{name}.wav", soft, RATE, "DOUBLE")
    with AudioReader(folder / "before.wav") as reader:
        pair = Pair(folder / "before.wav", folder / "removed.wav")
        return prepare(folder, pair, reader.info, SECONDS, longest_exact=longest_exact)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_stream_holds_both_sounds_in_step(tmp_path: Path, channels: int) -> None:
    found = prepared(tmp_path, channels=channels, longest_exact=1.0)
    assert (found.is_stream, found.channels, found.sample_rate) == (True, channels, 48_000)
    assert not list(tmp_path.glob("*.flac"))
    with AudioReader(tmp_path / STREAM) as reader:
        stream = reader.read_all()
        assert reader.info.sample_rate == 48_000
    assert len(stream) == 2 * channels
    assert stream.shape[1] == pytest.approx(SECONDS * 48_000, abs=1)
    from scipy.signal import resample_poly

    for row, (name, channel) in enumerate([(name, i) for name in ("before", "removed") for i in range(channels)]):
        original = resample_poly(soundfile.read(tmp_path / f"{name}.wav", always_2d=True)[0][:, channel], 160, 147)
        part = slice(48_000, 144_000)
        spectra = np.fft.rfft(original[part]), np.fft.rfft(stream[row, part])
        lags = np.fft.irfft(spectra[0].conj() * spectra[1])
        assert int(np.argmax(lags)) == 0, "aligned to the sample"
        assert np.corrcoef(original[part], stream[row, part])[0, 1] > 0.9


def test_tiles_show_what_the_whole_shows_in_finer_columns(tmp_path: Path) -> None:
    from PIL import Image

    found = prepared(tmp_path, channels=1, longest_exact=1.0)
    assert found.tile_seconds == 30.0
    assert found.tile_column_seconds is not None
    assert found.tile_column_seconds < 0.06
    for name in PICTURES:
        tiles = [np.asarray(Image.open(tmp_path / f"{tile_name(number, name)}.png"), float) for number in (0, 1)]
        assert not (tmp_path / f"{tile_name(2, name)}.png").exists()
        assert [round(tile.shape[1] * found.tile_column_seconds) for tile in tiles] == [30, 10]
        whole = np.asarray(Image.open(tmp_path / f"{name}.png"), float)
        assert (
            np.abs(tiles[0].mean(axis=1) - whole[:, : round(30 / found.column_seconds)].mean(axis=1)).max() < 4
        )  # 2 dB


def test_a_short_result_after_a_long_one_leaves_nothing_of_it(tmp_path: Path) -> None:
    prepared(tmp_path, channels=1, longest_exact=1.0)
    found = prepared(tmp_path, channels=1, longest_exact=60.0)
    assert not found.is_stream
    assert {path.name for path in tmp_path.iterdir()} == {
        "before.wav", "removed.wav", "before.flac", "removed.flac", "before.png", "after.png", "removed.png",
    }  # fmt: skip
    assert soundfile.info(tmp_path / "removed.flac").frames == round(SECONDS * RATE)
