"""Tables of the papers on miniature corpora: their rows, columns, published numbers, and what could not be run."""

import json

import numpy as np
import pytest
import soundfile
import torch

from concertclean.networks.architectures import ARCHITECTURES
from concertclean.reproduce.table import Outcome, Row, grid
from concertclean.weights.file_format import save_weights

RATE = 22_050


@pytest.fixture
def corpus(tmp_path):
    """Songs that sound as if rendered from notes, crowds and records of noise."""
    rng = np.random.default_rng(0)
    time = np.arange(6 * RATE) / RATE
    for number in range(2):
        notes = 220 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 12], 12) / 12)
        phase = 2 * np.pi * np.cumsum(np.repeat(notes, len(time) // 12 + 1)[: len(time)]) / RATE
        song = 0.2 * np.sin(phase) + 0.1 * np.sin(2 * phase)
        crowd = 0.1 * rng.standard_normal(len(time)) * (1 + 0.5 * np.sin(2 * np.pi * 3 * time))
        for folder, sound in (
            ("music/jazz", song), ("music/opera", song[::-1]), ("crowds", crowd), ("noise", crowd),
            ("recordings", song + 0.3 * crowd),
        ):  # fmt: skip
            path = tmp_path / "corpus" / folder / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound, RATE)
    return tmp_path / "corpus"


@pytest.fixture
def weights(tmp_path):
    """Weights of a small network where training by a recipe writes them, or elsewhere."""

    def write(architecture, path, sample_rate=RATE):
        torch.manual_seed(0)
        row = ARCHITECTURES[architecture]
        config = {**row.small_config, "sample_rate": sample_rate}
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        state = row.build(**config).state_dict()
        save_weights(path, state, architecture=architecture, config=config, provenance={})
        return path

    return write


def numbers(ended):
    """Rows of the JSON by system."""
    assert ended.code == 0, ended.err
    value = json.loads(ended.out)
    return {row["system"]: row for row in value["rows"]}, value["remarks"]


def test_kanunet_table_1(program, corpus, weights):
    given = weights("dccrn", "mine/dccrn.safetensors")
    weights("kanunet_eca", "runs/paper-unet/paper-unet.safetensors")
    words = ("--data", "corpus", "--items", 1, "--weights", f"DCCRN={given}")
    rows, remarks = numbers(program("reproduce", "kanunet-eca", "table1", *words, "--json"))
    assert list(rows) == ["noisy", "DCCRN", "U-Net", "KANUNet-ECA"]
    columns = [f"{score} {level}" for score in ("SNR", "SDR", "PEAQ") for level in "HML"]
    assert list(rows["DCCRN"]["ours"]) == columns
    assert [rows["noisy"]["ours"][f"SNR {level}"] for level in "HML"] == pytest.approx([-10, -5, 0], abs=1e-3)
    for name in ("DCCRN", "U-Net"):
        assert all(np.isfinite(value) for value in rows[name]["ours"].values())
    assert set(rows["KANUNet-ECA"]["ours"].values()) == {None}
    assert [rows["KANUNet-ECA"]["published"][column] for column in columns[:6]] == [4.64, 6.3, 8.04, 3.99, 5.74, 7.62]
    assert [rows["DCCRN"]["published"][f"SNR {level}"] for level in "HML"] == [3.11, 4.74, 6.31]
    assert any("KANUNet-ECA: not run" in one and "train recipes/paper/kanunet-eca.toml" in one for one in remarks)


def test_kanunet_table_2_has_the_ablations(program, corpus):
    rows, remarks = numbers(program("reproduce", "kanunet-eca", "table2", "--data", "corpus", "--items", 1, "--json"))
    assert list(rows) == ["noisy", "U-Net", "KANUNet", "KANUNet-ECA"]
    assert rows["KANUNet"]["published"]["SNR L"] == 7.47
    assert sum("not run" in one for one in remarks) == 3


def test_two_stage_table_1(program, corpus, weights):
    weights("seanet", "runs/paper-seanet/paper-seanet.safetensors", 44_100)
    words = ("--data", "corpus", "--items", 1)
    rows, remarks = numbers(program("reproduce", "two-stage", "table1", *words, "--json"))
    assert list(rows) == ["LSA-C", "SEANet", "two-stage U-Net"]
    assert list(rows["SEANet"]["ours"]) == [
        f"{score} {span}" for score in ("dSNR", "dPEAQ", "dPEMO-Q-like") for span in ("2-6 dB", "6-12 dB")
    ]
    assert [rows[name]["published"]["dSNR 2-6 dB"] for name in rows] == [8.97, 15.28, 15.89]
    assert rows["LSA-C"]["ours"]["dSNR 2-6 dB"] > 0  # swelling white noise under a tone
    assert all(np.isfinite(value) for value in rows["SEANet"]["ours"].values())
    assert set(rows["two-stage U-Net"]["ours"].values()) == {None}
    assert any("2 genres" in one for one in remarks)


@pytest.mark.parametrize(
    ("paper", "table", "files", "conditions"),
    [
        ("two-stage", "fig4", ["seanet"], {"LSA-C", "SEANet"}),
        ("seanet", "mushra", ["seanet", "seanet-adversarial"], {"lambda 0", "lambda 0.01"}),
    ],
)
def test_pages_of_listening_tests(program, corpus, weights, tmp_path, paper, table, files, conditions):
    for name in files:
        weights("seanet", f"runs/paper-{name}/paper-{name}.safetensors", 44_100)
    ended = program("reproduce", paper, table, "--data", "corpus", "--items", 1)
    assert ended.code == 0, ended.err
    page = tmp_path / "reproduce" / f"{paper}-{table}" / "listening.html"
    assert str(page.relative_to(tmp_path)) in ended.err
    text = page.read_text()
    assert all(f'"condition": "{name}"' in text for name in {*conditions, "noisy recording"})
    assert '"role": "condition"' in text
    assert '"role": "anchor"' not in text
    assert program("reproduce", paper, table, "--data", "corpus", "--items", 1).code == 9  # the page exists


def test_the_same_seed_gives_the_same_test_set(program, corpus):
    words = ("reproduce", "kanunet-eca", "table2", "--data", "corpus", "--items", 1, "--markdown")
    first, again, other = program(*words), program(*words), program(*words, "--seed", 1)
    assert first.out == again.out != other.out
    header, rule, noisy, *_ = first.out.decode().splitlines()
    assert header.startswith("| system | SNR H | SNR H, published | SNR M |")
    assert set(rule) <= set("| -:")
    assert noisy.startswith("| noisy | -10.00 |  | -5.00 |  | 0.00 |")


def test_no_line_is_wider_than_the_screen(program, corpus):
    text = program("reproduce", "kanunet-eca", "table2", "--data", "corpus", "--items", 1).out.decode()
    assert max(map(len, text.splitlines())) <= 80
    lines = [line.split() for line in text.splitlines()]
    assert ["system", "SNR", "H", "published", "SNR", "M", "published", "SNR", "L", "published"] in lines
    assert ["KANUNet-ECA", "3.99", "5.74", "7.62"] in lines


def test_tables_are_listed(program):
    for words in (("reproduce",), ("reproduce", "two-stage")):
        text = program(*words).out.decode()
        assert "two-stage fig4: the listening test, as a page" in text
        assert ("kanunet-eca table1" in text) == (len(words) == 1)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["ecanet", "table1"], 2, "unknown paper 'ecanet'; choose from kanunet-eca, two-stage, seanet, irmr, ddae"),
        (["seanet", "table9"], 2, "unknown table 'table9' of seanet; choose from mushra"),
        (["seanet", "mushra"], 4, "add --data FOLDER, a folder with recordings/"),
        (["seanet", "mushra", "--data", "nowhere"], 4, "nowhere: not a folder; it must hold recordings/"),
        (["seanet", "mushra", "--data", "corpus"], 2, "no system can be run; lambda 0: not run"),
        (["kanunet-eca", "table1", "--data", "corpus/noise"], 4, "corpus/noise/music: no recordings there"),
        (["two-stage", "table1", "--data", "corpus/noise"], 4, "corpus/noise/music: no folders there"),
        (["kanunet-eca", "table1", "--data", "corpus", "--weights", "DCCRN"], 2, "must be ROW=FILE"),
        (["kanunet-eca", "table1", "--data", "corpus", "--weights", "SEANet=a"], 2, "SEANet: no such row with weights"),
        (["kanunet-eca", "table1", "--data", "corpus", "--weights", "DCCRN=a"], 2, "a: weights of DCCRN do not exist"),
    ],
)
def test_errors_name_the_fact_and_the_cure(program, corpus, words, code, message):
    ended = program("reproduce", *words)
    assert ended.code == code
    assert message in ended.err


def test_published_columns_only_where_something_was_published():
    rows = (Row("a", (1.0, 2.0), (None, None)), Row("b", (None, 3.0), (None, 4.5)))
    header, body = grid(Outcome(("x", "y"), rows, decimals=1))
    assert header == ["system", "x", "y", "y, published"]
    assert body == [["a", "1.0", "2.0", ""], ["b", "", "3.0", "4.5"]]
