"""Stimuli of a listening test: equally loud and long, anchors as BS.1534 wants them; the page; its settings."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.config.listening import ListeningItem, ListeningSettings, anchor_name, read_listening_settings
from concertclean.dsp.levels import LoudnessMeter
from concertclean.errors import AudioFileError, ConfigError
from concertclean.report.listening import fingerprint, low_passed, stimuli, write_listening_test

RATE = 44_100
Save = Callable[..., Path]
Synth = Callable[..., np.ndarray]


def loudness(waveform: np.ndarray) -> float:
    meter = LoudnessMeter(RATE, len(waveform))
    meter.add(waveform)
    return meter.integrated()


def gain_db(frequency_hz: float, cutoff_hz: float) -> float:
    wave = np.sin(2 * np.pi * frequency_hz * np.arange(RATE) / RATE)[None]
    inner = slice(RATE // 4, -RATE // 4)
    return float(20 * np.log10(np.abs(low_passed(wave, cutoff_hz, RATE)[:, inner]).max()))


@pytest.mark.parametrize("cutoff_hz", [3500.0, 7000.0])
def test_anchors_are_those_of_the_standard(cutoff_hz: float) -> None:
    """BS.1534-3 for 3.5 kHz: ripple within 0.1 dB, 25 dB less at 4 kHz, 50 dB less at 4.5 kHz."""
    assert all(abs(gain_db(share * cutoff_hz, cutoff_hz)) <= 0.11 for share in (0.1, 0.5, 0.8, 0.95, 1.0))
    assert gain_db(cutoff_hz * 4000 / 3500, cutoff_hz) < -25
    assert gain_db(cutoff_hz * 4500 / 3500, cutoff_hz) < -50


def test_stimuli_of_a_clean_item(save: Save, noise: Synth) -> None:
    music = noise(2 * RATE)
    item = ListeningItem(
        name="one",
        reference=save("music.wav", music, subtype="FLOAT"),
        conditions={"quiet": save("quiet.wav", music / 4, subtype="FLOAT")},
        start_seconds=0.5,
        duration_seconds=1.0,
    )
    rate, reference, found = stimuli(item, (3500.0, 7000.0))
    assert rate == RATE
    assert reference.shape == (2, RATE)
    assert [(one.name, one.role) for one in found] == [
        ("reference", "reference"), ("quiet", "condition"), ("anchor 3.5 kHz", "anchor"), ("anchor 7 kHz", "anchor"),
    ]  # fmt: skip
    assert np.array_equal(found[0].waveform, reference)
    # Float32 in the file; the middle is untouched by the fades.
    assert np.abs(found[1].waveform - reference).max() < 1e-6
    for one in found:
        assert one.waveform.shape == reference.shape
        assert loudness(one.waveform) == pytest.approx(loudness(reference), abs=0.01)
        assert np.abs(one.waveform).max() < 1
        assert np.abs(one.waveform[:, [0, -1]]).max() < 1e-6
    assert np.abs(reference[:, 2000:-2000] / music[:, RATE // 2 + 2000 : 3 * RATE // 2 - 2000]).std() < 1e-6


def test_a_noisy_reference_is_hidden_as_the_noisy_recording(save: Save, noise: Synth) -> None:
    """There is no truth to hide; the recording is, expected at 0, as in the test of Moliner and Välimäki."""
    file = save("a.wav", noise(RATE))
    item = ListeningItem(name="one", reference=file, reference_kind="noisy", conditions={"other": file})
    _, reference, found = stimuli(item, ())
    assert [(one.name, one.role) for one in found] == [("noisy recording", "noisy"), ("other", "condition")]
    assert np.array_equal(found[0].waveform, reference)


def test_files_that_do_not_fit(save: Save, noise: Synth) -> None:
    whole = save("a.wav", noise(RATE))
    for name, waveform, message in (
        ("short.wav", noise(RATE // 3), "half a second"),
        ("shorter.wav", noise(round(0.7 * RATE)), "equal length"),
        ("mono.wav", noise(RATE, channels=1), "has 1 channels"),
    ):
        item = ListeningItem(name="one", reference=whole, conditions={"x": save(name, waveform)})
        with pytest.raises(AudioFileError, match=message):
            stimuli(item, ())


def test_silence_stays_silent(save: Save) -> None:
    file = save("a.wav", np.zeros((1, RATE)))
    _, reference, found = stimuli(ListeningItem(name="one", reference=file, conditions={"x": file}), (3500.0,))
    assert not any(np.abs(one.waveform).max() for one in found)
    assert np.isfinite(reference).all()


def test_the_page(save: Save, noise: Synth, tmp_path: Path) -> None:
    file = save("a.wav", noise(RATE))
    item = ListeningItem(name="one", reference=file, conditions={"x": file})
    settings = ListeningSettings(title="A < B", instructions="First.\n\nSecond.", item=(item,))
    told: list[int] = []
    write_listening_test(tmp_path / "page.html", settings, progress=told.append)
    text = (tmp_path / "page.html").read_text()
    blocks = dict(re.findall(r'<script type="[^"]+" id="([^"]+)">([^<]*)</script>', text))
    facts = json.loads(blocks["page"])
    assert told == [1]
    assert facts["test"] == fingerprint(settings)
    assert facts["instructions"] == ["First.", "Second."]
    assert {one["condition"] for one in facts["items"][0]["stimuli"]} == {
        "reference", "x", "anchor 3.5 kHz", "anchor 7 kHz",
    }  # fmt: skip
    sounds = [soundfile.read(io.BytesIO(base64.b64decode(blocks[f"i0-{number}"]))) for number in range(5)]
    assert {(sound.shape, rate) for sound, rate in sounds} == {((RATE, 2), RATE)}
    assert "A &lt; B" in text
    assert "{{" not in re.sub(r'<script type="text/plain".*?</script>', "", text, flags=re.DOTALL)


def test_fingerprints_tell_tests_apart() -> None:
    def made(folder: str, title: str = "t", conditions: tuple[str, ...] = ("x",)) -> str:
        files = {name: Path(folder) / name for name in conditions}
        item = ListeningItem(name="one", reference=Path(folder) / "a.wav", conditions=files)
        return fingerprint(ListeningSettings(title=title, item=(item,)))

    assert made("here") == made("there")
    assert len({made("here"), made("here", title="u"), made("here", conditions=("x", "y"))}) == 3


# Settings


GOOD = """
title = "t"
[[item]]
name = "one"
reference = "music/a.wav"
[item.conditions]
x = "x.wav"
"""


def test_settings_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "set.toml").write_text(GOOD)
    settings = read_listening_settings(tmp_path / "set.toml")
    assert settings.anchors_hz == (3500, 7000)
    assert settings.item[0].reference == tmp_path / "music" / "a.wav"
    assert settings.item[0].conditions == {"x": tmp_path / "x.wav"}
    assert settings.item[0].duration_seconds == 10


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + "y = 3", "item 1: conditions: "),
        (GOOD.replace('title = "t"', ""), "title: missing"),
        (GOOD.replace('name = "one"', 'name = "one"\nlevel = 3'), "item 1: level: unknown"),
        (GOOD.replace('name = "one"', 'name = "one"\nduration_seconds = 30'), "must be 12 or less, got 30"),
        (GOOD + GOOD.split("\n", 2)[2], "two items are named one"),
        (GOOD.replace("x =", '"anchor 7 kHz" ='), "cannot be named anchor 7 kHz"),
        (GOOD.replace("x =", "reference ="), "cannot be named reference"),
        (GOOD.replace("x =", '"noisy recording" ='), "cannot be named noisy recording"),
        ("title = ", "cannot be read as TOML"),
    ],
)
def test_wrong_settings(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "set.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"set\.toml: .*") as caught:
        read_listening_settings(tmp_path / "set.toml")
    assert complaint in str(caught.value)


def test_names_of_anchors() -> None:
    assert [anchor_name(hz) for hz in (3500, 7000, 850)] == ["anchor 3.5 kHz", "anchor 7 kHz", "anchor 0.85 kHz"]
