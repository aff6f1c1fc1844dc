"""Weights files whose headers were written by somebody else: built as they say, or refused at once."""

import json
import time

import numpy as np
import pytest
import torch

from concertclean.config.text import parse_json
from concertclean.errors import ConcertCleanError, ModelError
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.weights.building import build_fitting, build_model
from concertclean.weights.file_format import read_header, save_weights

SMALL = {name: dict(row.small_config) for name, row in ARCHITECTURES.items()}
TOLD_IN_TIME = 2.0  # seconds


@pytest.fixture
def write(tmp_path):
    """A weights file whose header claims something else than its tensors are."""

    def save(name, **claims):
        path = tmp_path / f"{name}.safetensors"
        torch.manual_seed(0)
        state = ARCHITECTURES[name].build(**SMALL[name]).state_dict()
        save_weights(path, state, architecture=name, config=SMALL[name] | claims, provenance={})
        return path

    return save


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_honest_header_builds_its_network(write, name):
    path = write(name)
    model = build_fitting(read_header(path), path)
    assert not any(tensor.is_meta for tensor in (*model.state_dict().values(), *model.buffers()))


@pytest.mark.parametrize(
    ("name", "claims", "fact"),
    [
        ("kanunet_eca", {"base": 10**6}, "tensors do not fit"),
        ("kanunet_eca", {"base": 0}, ""),
        ("kanunet_eca", {"base": -1}, ""),
        ("kanunet_eca", {"base": 10**30}, "base must lie between"),
        ("kanunet_eca", {"grid_size": 10**12}, "grid_size must lie between 1 and 1000"),
        ("kanunet_eca", {"grid_size": 0}, "grid_size must lie between"),
        ("kanunet_eca", {"grid_size": 900}, "tensors do not fit"),
        ("kanunet_eca", {"hop_length": 10**9}, "hop_length must lie between"),
        ("kanunet_eca", {"hop_length": 257}, "hop_length 257 is more than n_fft 256"),
        ("kanunet_eca", {"hop_length": 0}, "hop_length must lie between"),
        ("kanunet_eca", {"hop_length": 1.5}, "hop_length: must be a whole number"),
        ("kanunet_eca", {"n_fft": 10**9}, "n_fft must lie between"),
        ("kanunet_eca", {"sample_rate": 0}, "sample_rate must lie between 1000 and 768000"),
        ("kanunet_eca", {"sample_rate": None}, "sample_rate: must be a whole number"),
        ("kanunet_eca", {"eca_frames": 10**9}, "eca_frames must lie between"),
        ("kanunet_eca", {"sample_rate": 1000, "hop_length": 256, "eca_frames": 9999}, "samples around each segment"),
        ("kanunet_eca", {"recurrent_layers": 10**9}, "recurrent_layers must lie between"),
        ("kanunet_eca", {"convolution": "karate"}, "convolution: choose from kan, plain"),
        ("kanunet_eca", {"first_grid": [1]}, "first_grid"),
        ("kanunet_eca", {"exponent": 1e300}, "exponent must lie between"),
        ("kanunet_eca", {"surprise": 1}, "surprise: unknown, the settings are sample_rate"),
        ("two_stage_unet", {"depth": 10**9}, "depth must lie between 1 and 16"),
        ("two_stage_unet", {"widths": [10**6] * 3}, "tensors do not fit"),
        ("two_stage_unet", {"widths": [4] * 1000}, "widths has 1000 entries, at most 64"),
        ("two_stage_unet", {"widths": []}, "widths=() has 0 numbers"),
        ("two_stage_unet", {"bands": 10**6}, "bands must lie between"),
        ("cae", {"widths": [0, 0]}, ""),
        ("cae", {"code": 10**6}, "tensors do not fit"),
        ("tunet", {"segment": 10**15}, "segment must lie between"),
        ("tunet", {"segment": 10**7}, "tensors do not fit"),
        ("tunet", {"widths": []}, ""),
        ("tunet", {"n_microphones": 0}, "n_microphones must lie between"),
        ("noise_detector", {"n_mels": 10**9}, "n_mels must lie between"),
        ("noise_detector", {"lowest_hz": -1e5}, ""),
        ("noise_detector", {"dropout": 5}, ""),
        ("scene_classifier", {"widths": []}, ""),
        ("ddae", {"kernel_size": 999}, "kernel_size=999, must be odd and below 64"),
        ("ddae", {"width": 10**6}, "tensors do not fit"),
        ("wave_unet", {"levels": 10**9}, "levels must lie between 1 and 16"),
        ("wave_unet", {"levels": 16}, "tensors do not fit"),
        ("wave_unet", {"filters": 10**6}, "tensors do not fit"),
        ("wave_unet", {"kernel_size": 4}, "must be odd"),
        ("wave_unet_separator", {"instruments": ["a"] * 65}, "instruments has 65 entries"),
        ("wave_unet_separator", {"instruments": ["a"] * 64}, "tensors do not fit"),
        ("wave_unet_sinc", {"levels": 16, "stride": 16}, "samples around each segment"),
        ("wave_unet_sinc", {"features": 10**6}, "tensors do not fit"),
        ("open_unmix", {"hidden": 10**6}, "tensors do not fit"),
        ("open_unmix", {"instruments": []}, "must be one or more"),
        ("open_unmix", {"recurrent_layers": 0}, ""),
        ("open_unmix", {"dropout": 5, "recurrent_layers": 2}, ""),
        ("scene_classifier", {"widths": [10**6, 10**6]}, "tensors do not fit"),
    ],
)
def test_header_beyond_its_tensors_or_all_sense_is_refused_at_once(write, name, claims, fact):
    path = write(name, **claims)
    start = time.monotonic()
    with pytest.raises(ModelError) as caught:
        build_fitting(read_header(path), path)
    assert time.monotonic() - start < TOLD_IN_TIME
    assert str(caught.value).startswith(f"{path}: ")
    assert fact in str(caught.value)
    assert "\n" not in str(caught.value)


def test_recipe_is_checked_in_the_same_way():
    with pytest.raises(ModelError, match=r"^recipe: cae does not take these settings: hop_length must lie between"):
        build_model("cae", {"hop_length": 10**7}, "recipe")


VALUES = [None, -1, 0, 1, 3, 2**31, 10**30, 1e308, 0.5, "", "kan", [], {}, [[1]], [10**9] * 3, True, "\u2028" * 100]


def mutated(rng, data):
    """A weights file with other bytes in its header, or another value in its settings."""
    if rng.random() < 0.4:
        data = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(min(len(data), 1500))] = rng.integers(256)
        return bytes(data)
    n_header = int.from_bytes(data[:8], "little")
    entries = parse_json(data[8 : 8 + n_header])
    record = parse_json(entries["__metadata__"]["concertclean"])
    value = VALUES[rng.integers(len(VALUES))]
    tables = [record["config"], record["config"], record, entries["__metadata__"], entries]
    table = tables[rng.integers(len(tables))]
    names = [*table, "surprise"]
    table[names[rng.integers(len(names))]] = value
    if isinstance(entries.get("__metadata__"), dict) and "concertclean" in entries["__metadata__"]:
        entries["__metadata__"]["concertclean"] = json.dumps(record)
    header = json.dumps(entries).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + n_header :]


def test_mutated_weights_are_built_or_refused_at_once(write, tmp_path):
    """A few hundred headers: no exception but ours, none slow."""
    rng = np.random.default_rng(5)
    originals = [write(name).read_bytes() for name in ARCHITECTURES]
    path = tmp_path / "mutated.safetensors"
    outcomes = {"built": 0, "refused": 0, "vague": 0}
    for number in range(300):
        path.write_bytes(mutated(rng, originals[number % len(originals)]))
        start = time.monotonic()
        try:
            build_fitting(read_header(path), path)
            outcomes["built"] += 1
        except ConcertCleanError as error:
            outcomes["refused" if str(error).startswith(f"{path}: ") else "vague"] += 1
        assert time.monotonic() - start < TOLD_IN_TIME
    assert outcomes["vague"] == 0
    assert min(outcomes["built"], outcomes["refused"]) > 10


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}',
        b'{"a": {"dtype": "F32", "shape": [1e300], "data_offsets": [0, 0]}}',
        b'{"a": {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 0]}}',
        b'{"a": {"dtype": "F32", "shape": [1' + b",9" * 50_000 + b'], "data_offsets": [0, 0]}}',
        b'{"__metadata__": 5}',
        b'{"__metadata__": {"concertclean": 5}}',
        b'{"__metadata__": {"concertclean": "' + b"[" * 100_000 + b'"}}',
        json.dumps({"__metadata__": {"concertclean": '{"architecture": "cae", "config": {}}'}}).encode(),
    ],
    ids=range(9),
)
def test_headers_that_json_reads_but_nobody_wrote_are_damaged(tmp_path, header):
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelError, match="damaged weights file"):
        read_header(path)
