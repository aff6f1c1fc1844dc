import hashlib
import json
import runpy
import signal
import subprocess
import sys
import threading
import time
import tomllib
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from concertclean.cli.models import app
from concertclean.errors import ConfigError, ModelError, OfflineError, OutputError
from concertclean.weights.file_format import load_state, read_header, save_weights
from tests.weights.hub_server import HubServer, closed_url, serving
from tests.weights.publishing_server import PublishingServer

TESTS = Path(__file__).parents[1]
tf = runpy.run_path(str(TESTS / "reference/write_tf_bundle.py"))
WIDTHS = [2, 3, 3]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Folders below tmp_path; a model `mine` with its file in the model folder; no proxy, a wide terminal."""
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("CONCERTCLEAN_MODEL_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("CONCERTCLEAN_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "models").mkdir()
    save_weights(
        tmp_path / "models/mine.safetensors",
        {"w": torch.arange(4.0)},
        architecture="two_stage_unet",
        config={"depth": 6},
        provenance={"recipe": "none"},
    )
    add_card(tmp_path, "mine", (tmp_path / "models/mine.safetensors").read_bytes(), closed_url())
    return tmp_path


def add_card(home, name, data, url, *, convert=False):
    digest = hashlib.sha256(data).hexdigest()
    hashes = f'convert = "tf_two_stage_zip"\nsource_sha256 = "{digest}"' if convert else f'sha256 = "{digest}"'
    with (home / "models.toml").open("a") as file:
        file.write(
            f'[{name}]\ndescription = "does [nothing]"\narchitecture = "two_stage_unet"\n{hashes}\n'
            f'filename = "{name}.safetensors"\nsample_rate = 44100\nchannels = 1\nlicense = "MIT"\n'
            f'url = "{url}/{name}"\nsize_bytes = {len(data)}\n'
        )


@pytest.fixture
def archive(home):
    folder = tf["write_checkpoint"](home / "upstream", tf["two_stage_variables"](WIDTHS))
    return tf["zip_checkpoint"](folder, home / "checkpoint.zip")


def run(*words):
    """What the command prints; its error is raised as the program's entry point would see it."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_list_names_every_model_and_its_state():
    lines = run("list").stdout.splitlines()
    assert lines[0].split()[:2] == ["model", "weights"]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert rows.keys() >= {"concert", "gramophone", "gramophone-moliner", "mine"}
    assert "here" in rows["mine"]
    assert "does [nothing]" in rows["mine"]
    assert "to fetch, 264 MB" in rows["gramophone-moliner"]


def test_list_as_json(home):
    cards = {card["name"]: card for card in json.loads(run("list", "--json").stdout)}
    assert cards["mine"]["stored"] == str(home / "models/mine.safetensors")
    assert cards["gramophone-moliner"]["stored"] is None
    assert cards["concert"]["sample_rate"] == 44100


def test_info_shows_card_and_header():
    facts = json.loads(run("info", "mine", "--json").stdout)
    assert facts["config"] == {"depth": 6}
    assert facts["provenance: recipe"] == "none"
    assert facts["n_parameters"] == 4
    text = run("info", "gramophone-moliner").stdout
    assert "964cda73631a60ca09def2640f71b48e97f3e3fee9a6bcaf4827dc1f91030ac9" in text


def test_info_of_a_method_says_what_it_does():
    assert "interpolated" in json.loads(run("info", "declick", "--json").stdout)["description"]


def test_info_of_unknown_model():
    with pytest.raises(ModelError, match="did you mean concert"):
        run("info", "consert")


def test_path_is_the_only_output(home):
    assert run("path", "mine").stdout == f"{home / 'models/mine.safetensors'}\n"
    with pytest.raises(OfflineError):
        run("path", "gramophone-moliner")


def test_download_prints_paths_and_keeps_progress_off_stdout(home):
    data = (home / "models/mine.safetensors").read_bytes()
    with serving() as server:
        server.files["/other"] = data
        add_card(home, "other", data, server.url)
        result = run("download", "other", "mine")
    assert result.stdout == f"{home / 'models/other.safetensors'}\n{home / 'models/mine.safetensors'}\n"
    assert "other" in result.stderr
    assert (home / "models/other.safetensors").read_bytes() == data


def test_download_goes_on_after_a_failure(home):
    (home / "models/mine.safetensors").rename(home / "aside")
    add_card(home, "kept", (home / "aside").read_bytes(), closed_url())
    (home / "aside").rename(home / "models/kept.safetensors")
    result = CliRunner().invoke(app, ["download", "mine", "unheard", "kept"])
    assert result.stdout == f"{home / 'models/kept.safetensors'}\n"
    assert type(result.exception) is ModelError
    assert len(str(result.exception).splitlines()) == 2


def test_download_offline():
    with pytest.raises(OfflineError, match="network is off"):
        run("download", "--offline", "gramophone-moliner")


def test_verify_names_what_is_whole(home):
    digest = hashlib.sha256((home / "models/mine.safetensors").read_bytes()).hexdigest()
    assert run("verify", "mine").stdout.split()[:3] == ["mine", "ok", digest]


def test_verify_reports_damage_and_removes_nothing(home):
    path = home / "models/mine.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ModelError, match="wrong sha256"):
        run("verify", "mine")
    assert path.exists()


def test_verify_of_absent_weights():
    with pytest.raises(ModelError, match="not on this disk"):
        run("verify", "gramophone-moliner")


def test_verify_without_names_takes_all_on_this_disk(home, monkeypatch):
    monkeypatch.setattr("concertclean.weights.locating._SHIPPED", home / "nothing")
    assert [line.split()[0] for line in run("verify").stdout.splitlines()] == ["mine"]


def test_import_to_a_file(home, archive):
    target = home / "new/own.safetensors"
    assert run("import", archive, "-o", target).stdout == f"{target}\n"
    header = read_header(target)
    assert header.config == {"depth": 2, "widths": WIDTHS}
    assert header.provenance["source_sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert len(load_state(target)) == len(tf["two_stage_variables"](WIDTHS))


def test_import_from_the_unpacked_folder(home, archive):
    run("import", home / "upstream", "-o", home / "own.safetensors")
    assert read_header(home / "own.safetensors").provenance == {"source": "upstream"}


def test_import_does_not_overwrite(home, archive):
    target = home / "own.safetensors"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists"):
        run("import", archive, "-o", target)
    assert target.read_bytes() == b"precious"
    run("import", archive, "-o", target, "--overwrite")
    assert read_header(target).architecture == "two_stage_unet"


def test_import_wants_a_weights_file_name(home, archive):
    with pytest.raises(OutputError, match=r"\.safetensors"):
        run("import", archive, "-o", home / "own.pt")


def test_import_as_a_model_that_could_not_be_fetched(home, archive):
    add_card(home, "old", archive.read_bytes(), closed_url(), convert=True)
    with pytest.raises(OfflineError, match="import it as old"):
        run("download", "old")
    assert run("import", archive, "--name", "old").stdout == f"{home / 'models/old.safetensors'}\n"
    assert run("path", "old").stdout == f"{home / 'models/old.safetensors'}\n"


def test_import_of_another_archive(home, archive):
    with pytest.raises(ModelError, match="not the published archive"):
        run("import", archive, "--name", "gramophone-moliner")


def test_import_as_a_model_without_checkpoint(archive):
    with pytest.raises(ModelError, match="those of gramophone-moliner are"):
        run("import", archive, "--name", "mine")


@pytest.mark.parametrize("words", [[], ["-o", "a.safetensors", "--name", "b"]])
def test_import_needs_one_place(archive, words):
    assert run("import", archive, *words).exit_code == 2


def test_wrong_user_cards(home):
    (home / "models.toml").write_text("[mine]\nsample_rate = 0\n")
    with pytest.raises(ConfigError, match="sample_rate"):
        run("list")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["models", "path", "mine"], 0),
        (["models", "info", "consert"], 6),
        (["models", "path", "gramophone-moliner"], 7),
        (["models", "import"], 2),
    ],
)
def test_exit_codes_of_the_program(monkeypatch, words, code):
    from concertclean.cli.app import main

    monkeypatch.setattr(sys, "argv", ["concertclean", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert (caught.value.code or 0) == code


def test_help_and_list_do_not_import_torch():
    for words in (["--help"], ["list"]):
        code = (
            "import sys; from concertclean.cli.models import app; "
            f"app({words!r}, standalone_mode=False); sys.exit('torch' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_app_is_a_typer_group():
    assert {command.name or command.callback.__name__ for command in app.registered_commands} == {
        "list", "info", "download", "verify", "path", "import", "export", "publish"
    }  # fmt: skip


# The hub's client uses an old word of its own HTTP library.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_publish_prints_the_card_to_share(tiny_weights, monkeypatch):
    with serving(PublishingServer) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "secret")
        result = run("publish", tiny_weights["mono"], "someone/models", "--name", "mine")
    card = tomllib.loads(result.stdout)["mine"]
    assert (card["repo_id"], card["revision"]) == ("someone/models", server.revision)


def test_publish_of_a_file_that_is_not_there():
    with pytest.raises(ModelError, match="cannot be read"):
        run("publish", "no.safetensors", "someone/models")


# Interruptions


class Stalling(HubServer):
    """Sends half of a file and then nothing."""

    def __init__(self):
        super().__init__()
        self.has_begun, self.is_over = threading.Event(), threading.Event()
        self.RequestHandlerClass = _Stalls

    def shutdown(self):
        self.is_over.set()
        super().shutdown()


class _Stalls(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "8000000")
        self.end_headers()
        self.wfile.write(bytes(4_000_000))
        self.wfile.flush()
        self.server.has_begun.set()
        self.server.is_over.wait(30)

    def log_message(self, *_):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_interrupted_download_leaves_nothing(home, number, code):
    with serving(Stalling) as server:
        add_card(home, "away", bytes(8_000_000), server.url)
        # Behind & the shell lets Ctrl-C be ignored, and a child inherits that.
        handled = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        program = f"{handled}; from concertclean.cli.app import main; main()"
        command = [sys.executable, "-c", program, "models", "download", "away"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert server.has_begun.wait(30)
            while not list(home.glob("models/.*")):
                time.sleep(0.01)
            process.send_signal(number)
            _, said = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in said
    assert [path.name for path in (home / "models").iterdir()] == ["mine.safetensors"]


def test_card_is_shown_in_place_of_what_an_older_file_says():
    text = run("info", "concert").stdout
    assert "unknown" not in text
    assert text.count("CC-BY-SA-4.0") == 1
