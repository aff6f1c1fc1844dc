"""A chain gives what its stages give one after the other, however the stream is cut, and says what it cannot do."""

import numpy as np
import pytest

from concertclean.classical.catalogue import COMBINATIONS, METHODS
from concertclean.classical.material import material_of
from concertclean.errors import ConfigError, ModelError
from concertclean.restore.chain import Chain, chain_of, require_noise_taker, stages_of

RATE = 8000
NAMES = list(METHODS)


class Half:
    """A network in the eyes of a chain: removes half of everything, at the end."""

    def removed(self, blocks, channels, sample_rate):
        yield np.concatenate(list(blocks), axis=1) / 2


def recording(seconds=3.0, channels=2, sample_rate=RATE, seed=0):
    """A tone under hiss and clicks."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    waveform = 0.2 * np.sin(2 * np.pi * 330 * time) + 0.002 * rng.standard_normal((channels, len(time)))
    waveform[:, 2000::7000] += 0.7
    return waveform


def removed(restorer, waveform, sample_rate=RATE, block=4096):
    blocks = (waveform[:, start : start + block] for start in range(0, waveform.shape[1], block))
    pieces = list(restorer.removed(blocks, len(waveform), sample_rate))
    return np.concatenate([waveform[:, :0], *pieces], axis=1)


def test_a_chain_is_its_stages_one_after_the_other():
    waveform = recording()
    expected = waveform
    for name in ("declick", "lsa", "dehum"):
        expected = expected - removed(chain_of((name,), {}), expected)
    left = waveform - removed(chain_of(("declick", "lsa", "dehum"), {}), waveform)
    assert left == pytest.approx(expected, abs=1e-12)
    assert np.abs(left - waveform).max() > 0.5


def test_order_matters():
    waveform = recording()
    first, second = (removed(chain_of(stages, {}), waveform) for stages in (("declick", "lsa"), ("lsa", "declick")))
    assert np.abs(first - second).max() > 1e-3


def test_networks_work_beside_methods():
    waveform = recording()
    found = removed(chain_of(("declick", "net", "net"), {"net": Half()}), waveform)
    clicks = removed(chain_of(("declick",), {}), waveform)
    assert found - clicks == pytest.approx(0.75 * (waveform - clicks), abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("channels", "sample_rate"), [(1, 44_100), (3, 11_025)])
def test_every_method_at_any_rate_and_channel_count_however_cut(name, channels, sample_rate):
    waveform = recording(0.7, channels, sample_rate)
    chain = chain_of((name,), {}, {"recording": material_of(waveform, sample_rate)})
    whole = removed(chain, waveform, sample_rate, block=waveform.shape[1])
    assert whole.shape == waveform.shape
    assert np.isfinite(whole).all()
    assert np.array_equal(removed(chain, waveform, sample_rate, block=1777), whole)


@pytest.mark.parametrize("n_samples", [0, 1, 100])
def test_nothing_and_next_to_nothing(n_samples):
    """A few samples, silent or not, through every method at once."""
    for level in (0.0, 0.1):
        waveform = np.full((2, n_samples), level)
        found = removed(chain_of(NAMES, {}, {"recording": material_of(waveform, RATE)}), waveform)
        assert found.shape == (2, n_samples)
        assert np.isfinite(found).all()
        assert level or not found.any()


def test_only_a_look_ahead_is_held():
    """After 60 s of stream no more than 12 s of the result are owed, for all methods together."""
    came = 0

    def blocks():
        nonlocal came
        for seed in range(60):
            block = recording(1.0, 1, seed=seed)
            came += block.shape[1]
            yield block

    owed = gave = 0
    for piece in chain_of(("declick", "dehum", "lsa"), {}).removed(blocks(), 1, RATE):
        gave += piece.shape[1]
        owed = max(owed, came - gave)
    assert gave == came
    assert owed < 16 * RATE


def test_a_given_noise_passes_the_stages_before_it():
    """Clicks in the noise stretch do not raise the noise that is told to LSA."""
    rng = np.random.default_rng(5)
    noise = 0.01 * rng.standard_normal((1, 2 * RATE))
    clicked = noise.copy()
    clicked[:, 500::1500] += 0.8
    music = recording(2.0, 1)
    exact, cleaned, spoiled = (
        removed(chain_of(stages, {}, {"noise": material_of(told, RATE)}), music)
        for stages, told in ((("declick", "lsa"), noise), (("declick", "lsa"), clicked), (("lsa",), clicked))
    )
    assert np.square(cleaned - exact).mean() < 0.05 * np.square(spoiled - exact).mean()


def test_noise_of_another_rate_is_the_same_noise():
    """Below nine tenths of the band; above, the resampler fades out."""
    rng = np.random.default_rng(6)
    fine = 0.01 * rng.standard_normal((1, 4 * RATE))
    spectrum = np.fft.rfft(fine)
    spectrum[:, spectrum.shape[1] // 2 :] = 0  # nothing above 4 kHz
    fine = np.fft.irfft(spectrum, fine.shape[1])
    music = recording(2.0, 1)
    by_fine, by_coarse = (
        np.abs(np.fft.rfft(removed(chain_of(("lsa",), {}, {"noise": material_of(*told)}), music)))[:, : int(0.9 * RATE)]
        for told in ((fine, 2 * RATE), (fine[:, ::2], RATE))
    )
    assert np.square(by_fine - by_coarse).mean() < 1e-3 * np.square(by_coarse).mean()


def test_names_become_stages(tmp_path):
    assert stages_of("lsa") == ("lsa",)
    assert stages_of("declick, dehum,gramophone") == ("declick", "dehum", "gramophone")
    assert stages_of("lsa-c") == COMBINATIONS["lsa-c"] == ("declick", "lsa")
    assert stages_of("runs/mine.safetensors,lsa") == ("runs/mine.safetensors", "lsa")
    odd = tmp_path / "a,b.safetensors"
    odd.touch()
    assert stages_of(str(odd)) == (str(odd),)


def test_a_model_alone_brings_what_its_card_wants_before_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path))
    card = """
        [mine]
        aliases = ["my-own"]
        description = "d"
        architecture = "kanunet_eca"
        filename = "mine.safetensors"
        sha256 = "HASH"
        sample_rate = 44100
        channels = 2
        license = "MIT"
        path = "mine.safetensors"
        before = ["dethump", "declick"]
    """.replace("HASH", 64 * "a")
    (tmp_path / "models.toml").write_text(card)
    assert stages_of("mine") == ("dethump", "declick", "mine")
    assert stages_of("my-own") == ("dethump", "declick", "my-own")
    assert stages_of("dehum,mine") == ("dehum", "mine")  # a chain is as it is written
    assert stages_of("mine.safetensors") == ("mine.safetensors",)
    (tmp_path / "models.toml").write_text(card.replace("declick", "lsa-c"))
    assert stages_of("mine") == ("dethump", "declick", "lsa", "mine")
    (tmp_path / "models.toml").write_text(card.replace("dethump", "dethmup"))
    with pytest.raises(ModelError, match="unknown model 'dethmup'; did you mean dethump"):
        stages_of("mine")


@pytest.mark.parametrize("names", ["", "declick,", "declick,,lsa"])
def test_a_stage_has_a_name(names):
    with pytest.raises(ConfigError, match="write them as in declick,dehum,gramophone"):
        stages_of(names)


def test_an_unknown_name_is_reported_with_all_known_ones():
    with pytest.raises(ModelError, match=r"unknown model 'bat'; choose from concert.*declick, .*lsa-c; or give"):
        stages_of("dehum,bat")
    with pytest.raises(ModelError, match=r"unknown model 'declik'; did you mean declick\?"):
        stages_of("dehum,declik")


def test_noise_is_for_those_who_take_it():
    require_noise_taker(("declick", "logmmse"))
    with pytest.raises(ConfigError, match="add lsa or logmmse"):
        chain_of(("declick", "dehum"), {}, {"noise": material_of(np.ones((1, 1000)), RATE)})


def test_one_stage_is_passed_on_as_it_is():
    waveform = recording()
    assert np.array_equal(removed(Chain((Half(),)), waveform), waveform / 2)
