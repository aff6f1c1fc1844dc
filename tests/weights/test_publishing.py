"""Weights to a card, to the hub, and back from it by that card."""

import tomllib

import pytest
import torch
import yaml
from huggingface_hub import PyTorchModelHubMixin

from concertclean.errors import ModelError, OfflineError
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.networks.two_stage_unet import TwoStageUNet
from concertclean.weights.cards import ModelCard
from concertclean.weights.loading import load_model
from concertclean.weights.publishing import card_of, card_toml, publish
from tests.weights.hub_server import closed_url, serving
from tests.weights.publishing_server import PublishingServer


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("CONCERTCLEAN_MODEL_DIR", str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("CONCERTCLEAN_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch):
    with serving(PublishingServer) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def test_the_card_says_what_the_file_holds(tiny_weights):
    card = card_of(tiny_weights["mono"], "mine", "Removes hum.")
    again = ModelCard.model_validate({"name": "mine", **tomllib.loads(card_toml(card))["mine"]})
    assert again == card
    assert card.sha256 == load_model(tiny_weights["mono"]).sha256
    assert (card.architecture, card.channels, card.sample_rate) == ("two_stage_unet", 1, 44_100)
    assert card.size_bytes == tiny_weights["mono"].stat().st_size


# The hub's client uses an old word of its own HTTP library.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_what_is_published_can_be_fetched_by_the_card_that_comes_back(server, tiny_weights, tmp_path):
    card = publish(tiny_weights["mono"], card_of(tiny_weights["mono"], "mine", ""), "someone/models", token="secret")
    assert (card.repo_id, card.revision, card.path) == ("someone/models", server.revision, None)
    assert [made["name"] for made in server.created] == ["models"]
    (tmp_path / "models.toml").write_text(card_toml(card))
    fetched = load_model("mine")
    assert fetched.sha256 == card.sha256
    assert fetched.path.read_bytes() == tiny_weights["mono"].read_bytes()
    page = server.files[f"/someone/models/resolve/{server.revision}/README.md"].decode()
    assert "license: other" in page  # the hub knows no licence "unknown"
    assert card.sha256 in page
    assert "Not measured" in page


# The hub's client uses an old word of its own HTTP library.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_the_network_comes_from_what_is_published(server, tiny_weights, tmp_path):
    reached = "| method | 5 dB |\n|---|---|\n| mine | 3.1 ±0.4 |"
    publish(
        tiny_weights["mono"],
        card_of(tiny_weights["mono"], "mine", ""),
        "someone/models",
        results=reached,
        token="secret",
    )
    network = TwoStageUNet.from_pretrained("someone/models", revision=server.revision)
    waveform = torch.randn(1, 1, 44_100)
    assert torch.equal(network(waveform), load_model(tiny_weights["mono"]).model(waveform))
    assert not network.training
    page = server.files[f"/someone/models/resolve/{server.revision}/README.md"].decode()
    assert yaml.safe_load(page.split("---")[1])["pipeline_tag"] == "audio-to-audio"
    assert reached in page
    assert 'TwoStageUNet.from_pretrained("someone/models")' in page


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_folder_of_the_mixin_gives_the_network_and_the_other_way_round(name, tmp_path):
    row = ARCHITECTURES[name]
    mixed = type("Mixed", (PyTorchModelHubMixin, row.build), {})
    network = mixed(**row.small_config)
    network.save_pretrained(tmp_path, config=dict(row.small_config))
    ours = row.build.from_pretrained(tmp_path)
    theirs = mixed.from_pretrained(tmp_path)
    for key, tensor in network.state_dict().items():
        assert torch.equal(ours.state_dict()[key], tensor)
        assert torch.equal(theirs.state_dict()[key], tensor)


def test_a_refused_token_is_told(server, tiny_weights):
    card = card_of(tiny_weights["mono"], "mine", "")
    with pytest.raises(ModelError, match="could not be published") as caught:
        publish(tiny_weights["mono"], card, "someone/models", token="wrong")
    assert "hf auth login" in str(caught.value)
    assert not server.files


def test_a_name_that_is_none_is_told(server, tiny_weights):
    card = card_of(tiny_weights["mono"], "mine", "")
    with pytest.raises(ModelError, match="owner/name"):
        publish(tiny_weights["mono"], card, "a/b/c", token="secret")


def test_no_network_is_told(monkeypatch, tiny_weights):
    monkeypatch.setenv("HF_ENDPOINT", closed_url())
    card = card_of(tiny_weights["mono"], "mine", "")
    with pytest.raises(OfflineError, match="no network"):
        publish(tiny_weights["mono"], card, "someone/models", token="secret")


@pytest.mark.parametrize("name", ["../up", "", "a b", "-x"])
def test_model_needs_a_plain_name(tiny_weights, name):
    with pytest.raises(ModelError, match=r"mono.*: (name|filename): .*; give the model another name"):
        card_of(tiny_weights["mono"], name, "")
