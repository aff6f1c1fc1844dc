"""Settings: defaults, TOML, overrides, and everything wrong said at once."""

import math
from pathlib import Path

import pytest

from concertclean.config.denoise import DenoiseSettings, read_settings
from concertclean.errors import ConfigError


def test_nothing_given_gives_the_defaults() -> None:
    assert read_settings(None, {"strength": None}) == DenoiseSettings()


def test_options_go_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('strength = 0.5\nformat = "flac"\nloudness = -16\n')
    settings = read_settings(path, {"strength": 0.7, "model": None})
    assert (settings.strength, settings.format, settings.loudness) == (0.7, "flac", -16.0)
    assert settings.model == "auto"


@pytest.mark.parametrize(("text", "value"), [("off", "off"), ("match", "match"), ("-16", -16.0), (-23, -23.0)])
def test_loudness_is_a_word_or_a_level(text: str | int, value: str | float) -> None:
    assert read_settings(None, {"loudness": text}).loudness == value


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('strenght = 0.5\nclip = "hard"\nthreads = -1\nloudness = "loud"\n')
    with pytest.raises(ConfigError) as caught:
        read_settings(path, {"strength": 2.0})
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    for part in ("strenght: unknown", "max_reduction_db", "clip: ", "threads: ", "loudness: ", "strength: "):
        assert part in message
    assert "got 2.0" in message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["strength", "loudness", "start_seconds", "segment_seconds"])
def test_numbers_are_finite(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        read_settings(None, {name: value})


@pytest.mark.parametrize("content", [b"strength = ", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.toml: cannot be read"):
        read_settings(path, {})


@pytest.mark.parametrize(
    ("strength", "max_reduction_db", "share"),
    [(1.0, None, 1.0), (0.3, None, 0.3), (1.0, 20.0, 0.9), (0.3, 20.0, 0.3), (1.0, 6.0, 0.498813)],
)
def test_share(strength: float, max_reduction_db: float | None, share: float) -> None:
    settings = DenoiseSettings(strength=strength, max_reduction_db=max_reduction_db)
    assert settings.share == pytest.approx(share, abs=1e-6)


def test_a_network_is_held_to_26_db_unless_a_bound_is_given() -> None:
    """A bound of one's own holds for everything, so the network needs none beside it."""
    assert DenoiseSettings().network_floor == pytest.approx(0.05, abs=2e-4)
    assert DenoiseSettings(max_reduction_db=60.0).network_floor == 0
    assert DenoiseSettings(max_reduction_db=60.0).share == pytest.approx(0.999)


@pytest.mark.parametrize(
    "given",
    ["1:15-2:05,3:00-190", ["1:15-2:05", "3:00-3:10"], [[75, 125], [180.0, 190.0]]],
    ids=["text", "texts", "numbers"],
)
def test_parts_to_leave_alone_are_read_from_texts_and_numbers(given: object) -> None:
    assert read_settings(None, {"leave": given}).leave == ((75.0, 125.0), (180.0, 190.0))


@pytest.mark.parametrize("given", ["2:05-1:15", "1:15", "1:15-2:05,", "-3", [[5, 5]], [[-1, 5]], [[0, float("inf")]]])
def test_parts_that_are_none_are_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="leave"):
        read_settings(None, {"leave": given})
