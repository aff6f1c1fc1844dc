"""The before/after page as a file: complete in itself, exact in its sound, honest in its notes."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from matplotlib import colormaps
from PIL import Image

from concertclean.errors import AudioFileError, OutputError
from concertclean.report import comparison
from concertclean.report.comparison import Comparison, write_comparison
from concertclean.report.page import asset, palette, with_pieces
from concertclean.report.pairs import Pair
from concertclean.report.sound import page_rate
from concertclean.report.words import together

RATE = 16_000
Save = Callable[..., Path]
Synth = Callable[..., np.ndarray]


@pytest.fixture
def pair(save: Save, tone: Synth, noise: Synth) -> Pair:
    """Three seconds; noise in the last of them is removed."""
    music, crowd = tone(440, 3 * RATE, sample_rate=RATE), noise(3 * RATE)
    crowd[:, : 2 * RATE] = 0
    return Pair(save("song.wav", music + crowd, RATE), save("song_clean.wav", music, RATE))


def blocks_of(page: Path) -> dict[str, str]:
    return dict(re.findall(r'<script type="[^"]+" id="([^"]+)">([^<]*)</script>', page.read_text()))


def facts_of(page: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(blocks_of(page)["page"])
    return facts


def test_the_page_needs_nothing_else(pair: Pair, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert write_comparison(page, [Comparison(pair)]) == []
    text = re.sub(r'<script type="text/plain".*?</script>', "", page.read_text(), flags=re.DOTALL)
    addresses = {word for word in re.findall(r"https?://[^\s\"')]+", text) if word != "http://www.w3.org/2000/svg"}
    assert addresses == set()
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", text)
    assert "{{" not in text
    assert "default-src 'none'" in text


def test_the_sound_is_that_of_the_files(pair: Pair, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_comparison(page, [Comparison(pair)], lossless=True)
    blocks = blocks_of(page)
    before, after = (soundfile.read(path, dtype="int16")[0] for path in (pair.before, pair.after))
    for version, wanted in (("after", after), ("removed", before - after)):
        inside, rate = soundfile.read(io.BytesIO(base64.b64decode(blocks[f"r0-sound-{version}"])), dtype="int16")
        assert rate == RATE
        assert np.array_equal(inside, wanted)


def music(seconds: int, rate: int = 48_000) -> tuple[np.ndarray, np.ndarray]:
    """Chords that change twice a second and a hall in stereo, and the noise of a crowd that comes and goes."""
    rng = np.random.default_rng(1)
    n_samples = seconds * rate
    time = np.arange(n_samples) / rate
    music = np.zeros((2, n_samples))
    for i in range(2 * seconds):
        part = slice(i * rate // 2, (i + 1) * rate // 2)
        for pitch in rng.choice(110 * 2 ** (np.arange(30) / 12), 4):
            for k in range(1, 25):
                music[:, part] += 0.03 / k * np.sin(2 * np.pi * k * pitch * time[part] + rng.uniform(0, 6, (2, 1)))
    hall = 0.003 * rng.normal(size=music.shape)
    crowd = rng.normal(size=music.shape) * 0.05 * (1 + np.sin(2 * np.pi * time / 7))
    crowd = np.cumsum(crowd - np.roll(crowd, 12, axis=1), axis=1) / 4
    return music + hall, crowd


def test_the_sound_is_opus_that_is_in_step_with_the_files(save: Save, tmp_path: Path) -> None:
    """Neither early nor late by a sample, no sample more or fewer, and near enough, even for noise."""
    left, crowd = music(3)
    page = tmp_path / "page.html"
    write_comparison(page, [Comparison(Pair(save("a.wav", left + crowd, 48_000), save("a_clean.wav", left, 48_000)))])
    (facts,) = facts_of(page)["recordings"]
    assert (facts["codec"], facts["sampleRate"]) == ("Opus", 48_000)
    for version, wanted in (("after", left), ("removed", crowd)):
        data = base64.b64decode(blocks_of(page)[f"r0-sound-{version}"])
        assert data[28:36] == b"OpusHead"
        inside = soundfile.read(io.BytesIO(data))[0].T
        assert inside.shape == wanted.shape
        fits = [np.sum(inside[:, 100:-100] * np.roll(wanted, lag, axis=1)[:, 100:-100]) for lag in range(-50, 51)]
        assert np.argmax(fits) == 50
        assert np.sum((inside - wanted) ** 2) < 0.6 * np.sum(wanted**2)


def test_five_minutes_stay_below_8_mb(save: Save, tmp_path: Path) -> None:
    """Eight seconds; sound grows with time, pictures to 1,500 columns."""
    left, crowd = music(8)
    page = tmp_path / "page.html"
    write_comparison(page, [Comparison(Pair(save("a.wav", left + crowd, 48_000), save("a_clean.wav", left, 48_000)))])
    blocks = blocks_of(page)
    sound = sum(len(data) for name, data in blocks.items() if "-sound-" in name)
    pictures = 0.0
    for name, data in blocks.items():
        if "-picture-" in name:
            with Image.open(io.BytesIO(base64.b64decode(data))) as image:
                pictures += len(data) * 1500 / image.width
    rest = page.stat().st_size - sum(map(len, blocks.values()))
    assert sound * 300 / 8 + pictures + rest < 8e6
    assert sound * 300 / 8 > 4e6  # there is nothing to save that could be heard


def test_pictures_are_of_after_and_removed(pair: Pair, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_comparison(page, [Comparison(pair)], lossless=True)
    blocks, (facts,) = blocks_of(page), facts_of(page)["recordings"]
    levels = {}
    for version in ("after", "removed"):
        with Image.open(io.BytesIO(base64.b64decode(blocks[f"r0-picture-{version}"]))) as image:
            levels[version] = np.asarray(image, float)[::-1] / 2 - 120
    assert "r0-picture-before" not in blocks  # it follows from these two in the page
    columns = levels["after"].shape[1]
    assert columns * facts["columnSeconds"] == pytest.approx(3, abs=0.02)
    row, late = round(440 / (RATE / 2) * 1024), slice(round(columns * 0.8), round(columns * 0.9))
    assert levels["after"][row, 50] == pytest.approx(-21, abs=1.5)  # 0.1 of full scale, between two bins at worst
    assert levels["removed"][row, 50] == -120
    assert levels["removed"][500, late].mean() > levels["after"][500, late].mean() + 30
    low, top = facts["rangeDb"]
    assert (top - low, top) == (80, -20)


def test_numbers_settings_and_level_match(pair: Pair, tmp_path: Path) -> None:
    record = {"model": "concert", "sha256": "ab", "device": "cpu", "warnings": ["W102 lossy"],
              "real_time_factor": 0.1, "reduction_db": 4.44,
              "settings": {"strength": 0.7, "loudness": "off"}}  # fmt: skip
    page = tmp_path / "page.html"
    write_comparison(page, [Comparison(pair, record)])
    (facts,) = facts_of(page)["recordings"]
    assert [row[0] for row in facts["numbers"]] == [
        "Loudness, LUFS", "Peak, dBFS", "Reduction, mean of seconds", "Reduction, 95th percentile",
    ]  # fmt: skip
    assert facts["numbers"][2][2] == "4.4\u00a0dB"
    settings = dict(facts["settings"])
    assert settings["Model"] == "concert"
    assert settings["Strength"] == "0.7"
    assert settings["Speed"] == "10.0 times real time"
    assert settings["Remark"] == "W102 lossy"
    assert "Loudness" not in settings  # nothing was done to it
    before, after, removed = facts["lufs"]
    assert before > after + 0.5  # before is louder by the noise of one second in three
    assert removed < before
    assert facts["gain"] == 1
    assert [note.split(". ")[0] for note in facts["notes"]] == [
        "To keep this page small, its sound is compressed (Opus)"
    ]


def test_a_preview_is_where_most_changed(pair: Pair, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_comparison(page, [Comparison(pair)], preview_seconds=0.8)
    (facts,) = facts_of(page)["recordings"]
    assert 2.0 <= facts["startSeconds"] <= 2.2
    assert (facts["seconds"], facts["wholeSeconds"]) == (0.8, 3.0)
    assert "0:02 to 0:03 of 0:03" in facts["notes"][0]
    sound = soundfile.SoundFile(io.BytesIO(base64.b64decode(blocks_of(page)["r0-sound-after"])))
    assert sound.frames == round(0.8 * 48_000)
    assert max(facts["course"][:19]) == 0
    assert max(facts["course"][20:]) == 100


def test_a_page_holds_ten_minutes(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "PAGE_SECONDS", 5.0)
    monkeypatch.setattr(comparison, "PREVIEW_SECONDS", 1.0)
    page = tmp_path / "page.html"
    write_comparison(page, [Comparison(pair)])
    assert facts_of(page)["recordings"][0]["seconds"] == 3
    write_comparison(page, [Comparison(pair)] * 2, overwrite=True)
    assert [facts["seconds"] for facts in facts_of(page)["recordings"]] == [1, 1]


def test_high_rates_many_channels_and_peaks_are_told(save: Save, noise: Synth, tmp_path: Path) -> None:
    loud = noise(48_000, channels=4, level=1.5)
    pair = Pair(save("a.wav", loud, 96_000, "FLOAT"), save("a_clean.wav", loud / 2, 96_000, "FLOAT"))
    page = tmp_path / "page.html"
    write_comparison(page, [Comparison(pair)], lossless=True)
    (facts,) = facts_of(page)["recordings"]
    assert facts["sampleRate"] == 48_000
    notes = " ".join(facts["notes"])
    assert "is at 48000\u00a0Hz, the recording at 96000\u00a0Hz" in notes
    assert "channels 1 and 2 of 4" in notes
    assert "lowered by 3.6\u00a0dB" in notes
    after, _ = soundfile.read(io.BytesIO(base64.b64decode(blocks_of(page)["r0-sound-after"])))
    assert after.shape == (24_000, 2)
    assert 0.45 < np.abs(after).max() < 0.7  # resampling raises the peaks of noise
    assert facts["gain"] == 1


def test_what_was_removed_may_exceed_full_scale(save: Save, noise: Synth, tmp_path: Path) -> None:
    """An inverted copy: nothing exceeds full scale but the difference, and the page raises it again."""
    loud = np.clip(noise(RATE, level=0.9), -0.9, 0.9)
    page = tmp_path / "page.html"
    write_comparison(
        page, [Comparison(Pair(save("a.wav", loud, RATE), save("a_clean.wav", -loud, RATE)))], lossless=True
    )
    (facts,) = facts_of(page)["recordings"]
    assert facts["gain"] == pytest.approx(1 / 1.8, rel=0.03)
    assert facts["notes"] == []
    removed, _ = soundfile.read(io.BytesIO(base64.b64decode(blocks_of(page)["r0-sound-removed"])))
    assert np.abs(removed.T / facts["gain"] - 2 * loud).max() < 2e-4


def test_a_bad_pair_does_not_stop_the_others(pair: Pair, save: Save, tmp_path: Path) -> None:
    bad = Pair(pair.before, save("short.wav", np.zeros((2, 100)), RATE))
    page = tmp_path / "page.html"
    told: list[float] = []
    ((failed, error),) = write_comparison(
        page, [Comparison(bad), Comparison(pair)], progress=lambda _pair, seconds, _total: told.append(seconds)
    )
    assert failed == bad
    assert isinstance(error, AudioFileError)
    assert told[-1] == 3
    assert len(facts_of(page)["recordings"]) == 1
    with pytest.raises(OutputError, match="already exists"):
        write_comparison(page, [Comparison(pair)])
    assert len(write_comparison(tmp_path / "none.html", [Comparison(bad)])) == 1
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["page.html"]


def test_names_are_no_html(save: Save, noise: Synth, tmp_path: Path) -> None:
    name = "<b>&amp;<script>alert(1)<" if (tmp_path / "x<").parent.exists() else "x"
    before = save(f"{name}.wav", noise(1000))
    page = tmp_path / "page.html"
    write_comparison(page, [Comparison(Pair(before, before))])
    assert "<script>alert" not in page.read_text()
    assert facts_of(page)["recordings"][0]["name"] == name


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [(44_100, 44_100), (48_000, 48_000), (96_000, 48_000), (88_200, 44_100), (192_000, 48_000), (176_400, 44_100),
     (50_000, 48_000), (5000, 8000), (22_050, 22_050)],
)  # fmt: skip
def test_rates_of_pages(rate: int, wanted: int) -> None:
    assert page_rate(rate) == wanted


def test_palette_is_magma() -> None:
    assert bytes.fromhex(palette()) == bytes(colormaps["magma"](range(256), bytes=True)[:, :3])


# Words


def test_numbers_stay_with_their_units_where_lines_break() -> None:
    text = together("−26.6 (−7.4 dB relative to before), 44100 Hz, 2 channels, 5 songs")
    assert text == "−26.6 (−7.4\u00a0dB relative to before), 44100\u00a0Hz, 2\u00a0channels, 5 songs"


@pytest.mark.parametrize("name", ["report.html", "listen.html"])
def test_keys_of_the_loop_are_explained_where_they_are(name: str) -> None:
    page = asset(name)
    assert "From here <kbd>[</kbd>" in page
    assert "To here <kbd>]</kbd>" in page
    assert not re.search(r"\d (dB|Hz|s)\b(?![^<>]*>)", page)  # outside of tags


@pytest.mark.parametrize("name", ["report.html", "listen.html"])
def test_pieces_are_put_into_templates(name: str) -> None:
    page = with_pieces(asset(name))
    assert ".html}}" not in page
    assert page.count('id="play"') == page.count('id="seek"') == 1
