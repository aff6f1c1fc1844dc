"""`concertclean config`: what can be set, and whether a file is right."""

import json

from tests.cli.test_train import RECIPE


def test_the_schema_names_every_setting(program):
    schema = json.loads(program("config", "schema", "train").out)
    assert schema["additionalProperties"] is False
    assert {"network", "data", "mixing", "loss", "optimizer", "run"} <= schema["properties"].keys()
    assert "strength" in json.loads(program("config", "schema", "denoise").out)["properties"]


def test_show_gives_defaults_and_changes(program, tmp_path):
    (tmp_path / "tiny.toml").write_text(RECIPE)
    shown = json.loads(program("config", "show", "train", "tiny.toml", "--set", "run.seed=5").out)
    assert (shown["run"]["seed"], shown["run"]["ema_decay"], shown["data"]["batch"]) == (5, 0.997, 2)
    (tmp_path / "mine.toml").write_text("strength = 0.5\n")
    shown = json.loads(program("config", "show", "denoise", "mine.toml", "--set", "clip=limit").out)
    assert (shown["strength"], shown["clip"], shown["model"]) == (0.5, "limit", "auto")


def test_validate_tells_everything_that_is_wrong(program, tmp_path):
    (tmp_path / "tiny.toml").write_text(RECIPE)
    assert program("config", "validate", "train", "tiny.toml").code == 0
    (tmp_path / "tiny.toml").write_text(RECIPE.replace("steps = 6", "stepz = 6").replace("batch = 2", "batch = 0"))
    ended = program("config", "validate", "train", "tiny.toml")
    assert ended.code == 2
    for part in ("run.stepz: unknown", "run.steps: missing", "data.batch"):
        assert part in ended.err
