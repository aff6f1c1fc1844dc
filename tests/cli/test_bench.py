"""`concertclean bench`: every number there, ratios that follow from them, and what cannot be timed."""

import json
import shutil

import pytest


@pytest.fixture
def weights(tiny_weights, tmp_path):
    shutil.copy(tiny_weights["stereo"], tmp_path / "tiny.safetensors")
    return "tiny.safetensors"


def test_a_model_beside_a_tool(program, weights):
    words = ["--model", weights, "--device", "cpu", "--seconds", 2, "--repeats", 1, "--baseline", "adeclick", "--json"]
    ended = program("bench", *words)
    assert ended.code == 0, ended.err
    model, tool = json.loads(ended.out)
    assert (model["name"], model["device"], model["seconds"]) == ("tiny", "cpu", 2.0)
    assert model["startup_seconds"] > 0.1  # an interpreter and torch have to start
    assert 100 < model["peak_memory_mib"] < 2000
    assert 0 < model["outside_network"] < 1
    for one in (model, tool):
        assert one["times_real_time"] == pytest.approx(2.0 / one["elapsed_seconds"])
    assert (tool["name"], tool["startup_seconds"], tool["peak_memory_mib"]) == ("adeclick", None, None)


def test_the_table_says_how_many_times_as_fast(program, weights):
    words = ["--model", weights, "--seconds", 1, "--repeats", 1, "--baseline", "afwtdn", "--markdown"]
    lines = program("bench", *words).out.decode().splitlines()
    header, model, tool = ([cell.strip() for cell in line.split("|")[1:-1]] for line in (lines[2], lines[4], lines[5]))
    assert header[-1] == f"{model[0]} is"
    speeds = [float(line[2]) for line in (model, tool)]
    assert float(tool[-1]) == pytest.approx(speeds[0] / speeds[1], abs=0.05 + 0.05 * speeds[0] / speeds[1])
    assert model[-1] == "1.00"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--baseline", "dolby"], 2, "dolby: unknown baseline"),
        (["--model", "nothing", "--baseline", ""], 1, "nothing"),
        (["--json", "--markdown"], 2, "exclude each other"),
    ],
)
def test_what_cannot_be_timed(program, words, code, message):
    ended = program("bench", "--seconds", 1, "--repeats", 1, *words)
    assert ended.code == code
    assert message in ended.err
