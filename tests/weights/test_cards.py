import subprocess
import sys

import pytest

from concertclean.errors import ConfigError, ModelError
from concertclean.weights.cards import find_card, load_cards

SHA = "ab" * 32
CARD = f"""
description = "d"
architecture = "kanunet_eca"
filename = "mine.safetensors"
sha256 = "{SHA}"
sample_rate = 44100
channels = 2
license = "MIT"
path = "~/mine.safetensors"
"""


@pytest.fixture
def write_cards(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path))
    return lambda text: (tmp_path / "models.toml").write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def _no_user_cards(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path))


def test_bundled_cards():
    cards = load_cards()
    assert {"concert", "gramophone", "gramophone-moliner"} <= cards.keys()
    assert cards["concert"].shipped
    assert (cards["gramophone"].channels, cards["gramophone"].sample_rate) == (1, 44100)
    assert cards["gramophone"].before == ("decrackle",)
    moliner = cards["gramophone-moliner"]
    assert (moliner.convert, moliner.size_bytes) == ("tf_two_stage_zip", 264_031_940)
    assert moliner.segment_seconds == 5.0


def test_aliases_find_the_card():
    assert find_card("crowd").name == "concert"
    assert find_card("78rpm").name == "gramophone"


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match="concert, gramophone, gramophone-moliner"):
        find_card("hiss")


@pytest.mark.parametrize(("word", "meant"), [("consert", "concert"), ("Gramaphone", "gramophone"), ("78rmp", "78rpm")])
def test_a_near_name_is_asked_for(word, meant):
    with pytest.raises(ModelError, match=rf"unknown model '{word}'; did you mean {meant}\?"):
        find_card(word)


def test_user_cards_are_added_and_replace(write_cards):
    write_cards(f"[mine]\n{CARD}\n[concert]\n{CARD.replace('mine', 'other')}")
    cards = load_cards()
    assert cards["mine"].sha256 == SHA
    assert cards["concert"].filename == "other.safetensors"
    assert "gramophone" in cards


def test_metrics_may_be_flat_or_by_data_set(write_cards):
    write_cards(f"[mine]\n{CARD}\nmetrics = {{si_sdr_db = 3.5, 'set one' = {{sdr_db = 1.0}}}}")
    assert load_cards()["mine"].metrics == {"si_sdr_db": 3.5, "set one": {"sdr_db": 1.0}}


def test_all_faults_are_reported_together(write_cards):
    write_cards(
        f"[one]\n{CARD}\nsample_rat = 1\nsegment_seconds = -1\n"
        f"[two]\n{CARD.replace(SHA, 'xyz').replace('44100', '0')}\n"
        "three = 3\n"
        f"[four]\n{CARD.replace('path', '# path')}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_cards()
    message = str(caught.value)
    for part in (
        "models.toml",
        "[one] sample_rat",
        "[one] segment_seconds",
        "[two] sha256",
        "[two] sample_rate",
    ):
        assert part in message
    assert "[four] one of shipped, path, repo_id, url" in message


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('repo_id = "a/b"', "repo_id needs revision"),
        ('repo_id = "a/b"\nrevision = "main"', "revision"),
        ('url = "file:///etc/passwd"', "http or https"),
        ('url = "https://"', "http or https"),
        ('convert = "tf_two_stage_zip"', "convert needs source_sha256"),
        ('convert = "pickle"', "convert"),
    ],
)
def test_contradictory_source_is_refused(write_cards, line, fault):
    write_cards(f"[mine]\n{CARD}\n{line}\n")
    with pytest.raises(ConfigError, match=fault):
        load_cards()


def test_card_without_hash_is_refused(write_cards):
    write_cards(f"[mine]\n{CARD.replace('sha256', '# sha256')}")
    with pytest.raises(ConfigError, match="sha256 is required"):
        load_cards()


@pytest.mark.parametrize("filename", ["../up.safetensors", "a/b.safetensors", ".hidden.safetensors", "model.pt"])
def test_file_name_stays_in_its_folder(write_cards, filename):
    write_cards(f"[mine]\n{CARD.replace('mine.safetensors', filename, 1)}")
    with pytest.raises(ConfigError, match="filename"):
        load_cards()


def test_one_word_means_one_model(write_cards):
    write_cards(f"[mine]\n{CARD}\naliases = ['gramophone']\n")
    with pytest.raises(ConfigError, match="gramophone belongs to both"):
        load_cards()


@pytest.mark.parametrize("text", ["not toml", "three = 3"])
def test_other_text_is_refused(write_cards, text):
    write_cards(text)
    with pytest.raises(ConfigError, match=r"models\.toml"):
        load_cards()


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from concertclean.weights import locating, cards; cards.load_cards(); "
        "sys.exit(bool({'torch', 'huggingface_hub', 'numpy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["../../x.safetensors", "/x.safetensors", "a\\\\x.safetensors", "C:x.safetensors", ""])
def test_file_in_a_repository_has_a_plain_name(write_cards, name):
    write_cards(f'[mine]{CARD}repo_id = "a/b"\nrevision = "{"0" * 40}"\nrepo_filename = "{name}"\n')
    with pytest.raises(ConfigError, match=r"repo_filename: (leads out of its folder|contains a backslash|is empty)"):
        load_cards()


@pytest.mark.parametrize("data", [b"\xff\xfe[\x00", b"a = " + b"[" * 100_000, b"caf\xe9"])
def test_cards_that_are_no_text_are_refused(tmp_path, data):
    (tmp_path / "models.toml").write_bytes(data)
    with pytest.raises(ConfigError, match=r"models\.toml: cannot be read"):
        load_cards()


def test_cards_with_a_byte_order_mark_are_read(tmp_path):
    (tmp_path / "models.toml").write_bytes(b"\xef\xbb\xbf" + f"[mine]{CARD}".encode())
    assert "mine" in load_cards()
