import csv
import gzip
import io
import json
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from concertclean.errors import ModelError
from concertclean.weights.crc32c import crc32c, masked_crc32c
from concertclean.weights.file_format import load_state, read_header
from concertclean.weights.tf_bundle import read_bundle
from concertclean.weights.tf_checkpoint import convert_two_stage, two_stage_shapes

REFERENCE = Path(__file__).parents[1] / "reference"
tf = runpy.run_path(str(REFERENCE / "write_tf_bundle.py"))
PUBLISHED_WIDTHS = (32, 64, 64, 128, 128, 256, 512)
SMALL_WIDTHS = [2, 3, 3, 4]


def published_rows():
    text = gzip.decompress((REFERENCE / "two_stage_tf_keys.tsv.gz").read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


@pytest.fixture
def variables():
    return tf["two_stage_variables"](SMALL_WIDTHS)


@pytest.fixture
def folder(tmp_path, variables):
    return tf["write_checkpoint"](tmp_path / "upstream", variables)


def test_crc32c_of_the_standard_check_string():
    """RFC 3720 and the CRC catalogue: CRC-32C of the digits 1 to 9; RFC 3720 B.4: 32 zero bytes."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"") == 0


@pytest.mark.parametrize("size", [1, 3, 4, 5, 63, 64, 65, 4097, 20_001])
def test_crc32c_equals_the_bytewise_one(size):
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == tf["crc32c"](data)
    assert masked_crc32c(data) == tf["masked"](data)


def test_read_bundle_is_bit_identical(folder, variables):
    found = read_bundle(folder / "checkpoint.index", prefix="layer_with_weights-0/")
    assert found.keys() == variables.keys()
    for key, array in variables.items():
        assert found[key].shape == array.shape
        assert found[key].tobytes() == array.tobytes()


def test_rule_gives_the_published_list():
    """Names and torch shapes of all 284 variables as TensorFlow listed them."""
    rows = published_rows()
    expected = {row["torch_name"]: tuple(json.loads(row["torch_shape"])) for row in rows}
    assert len(expected) == 284
    assert two_stage_shapes(PUBLISHED_WIDTHS) == expected
    assert sum(int(np.prod(shape)) for shape in expected.values()) == 71_408_196


def test_rule_gives_the_papers_network():
    shapes = two_stage_shapes(PUBLISHED_WIDTHS[:5])
    assert len(shapes) == 196
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 10_938_948


def test_test_writer_makes_the_published_keys():
    """The writer's names and TensorFlow shapes are the published ones, so the small ones mean something."""
    written = tf["two_stage_variables"](PUBLISHED_WIDTHS)
    expected = {row["tf_checkpoint_key"]: tuple(json.loads(row["tf_shape"])) for row in published_rows()}
    assert {key: array.shape for key, array in written.items()} == expected


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("widths", [[2, 3], [2, 3, 3, 4], [2, 2, 2, 3, 3, 4, 5]])
def test_convert_moves_every_number_to_its_place(tmp_path, widths, packed):
    variables = tf["two_stage_variables"](widths)
    source = tf["write_checkpoint"](tmp_path / "upstream", variables)
    if packed:
        source = tf["zip_checkpoint"](source, tmp_path / "checkpoint.zip")
    target = tmp_path / "converted.safetensors"
    convert_two_stage(source, target, provenance={"license": "MIT"})
    header, state = read_header(target), load_state(target)
    assert header.architecture == "two_stage_unet"
    assert header.config == {"depth": len(widths) - 1, "widths": widths}
    assert header.provenance == {"license": "MIT"}
    assert len(state) == len(variables)
    for key, array in variables.items():
        name = key[len(tf["PREFIX"]) : -len(tf["SUFFIX"])].replace("/", ".").replace("kernel", "weight")
        expected = torch.from_numpy(array)
        assert torch.equal(state[name], expected.permute(3, 2, 0, 1) if array.ndim == 4 else expected)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_same_checkpoint_gives_same_bytes(tmp_path, folder):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    convert_two_stage(folder, first, provenance={"b": "2", "a": "1"})
    convert_two_stage(folder, second, provenance={"a": "1", "b": "2"})
    assert first.read_bytes() == second.read_bytes()


def refused(source, tmp_path):
    target = tmp_path / "converted.safetensors"
    with pytest.raises(ModelError) as caught:
        convert_two_stage(source, target)
    assert not target.exists()
    assert not list(tmp_path.glob("*.part"))
    return str(caught.value)


def test_truncated_index_is_refused(tmp_path, folder):
    index = folder / "checkpoint.index"
    index.write_bytes(index.read_bytes()[:-1])
    assert "magic number" in refused(folder, tmp_path)


def test_every_damaged_byte_of_the_index_is_noticed(tmp_path, folder, variables):
    index = folder / "checkpoint.index"
    whole = index.read_bytes()
    for place in range(0, len(whole) - 48, 97):
        index.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            found = read_bundle(index)
        except ModelError:
            continue
        # Only the unused meta index may change unnoticed.
        assert {key: array.tobytes() for key, array in found.items()} == {
            key: array.tobytes() for key, array in variables.items()
        }


def test_other_file_is_refused(tmp_path, folder):
    (folder / "checkpoint.index").write_bytes(b"text, not a table, and longer than the footer of one" * 3)
    assert "magic number" in refused(folder, tmp_path)


def test_compressed_block_is_refused(tmp_path, variables):
    folder = tf["write_checkpoint"](tmp_path / "upstream", variables, compression=1)
    assert "compressed, type 1" in refused(folder, tmp_path)


def test_missing_shard_is_named(tmp_path, folder):
    (folder / "checkpoint.data-00000-of-00001").unlink()
    assert "checkpoint.data-00000-of-00001" in refused(folder, tmp_path)


def test_short_shard_is_refused(tmp_path, folder):
    shard = folder / "checkpoint.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "cut short" in refused(folder, tmp_path)


def test_flipped_bit_of_a_tensor_is_noticed(tmp_path, folder):
    shard = folder / "checkpoint.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert "checksum" in refused(folder, tmp_path)


def test_other_dtype_is_refused(tmp_path, variables):
    folder = tf["write_checkpoint"](tmp_path / "upstream", variables, dtype=2)
    assert "dtype 2" in refused(folder, tmp_path)


def test_other_network_is_refused(tmp_path):
    other = {"layer_with_weights-0/dense/kernel/.ATTRIBUTES/VARIABLE_VALUE": np.zeros((2, 2), np.float32)}
    folder = tf["write_checkpoint"](tmp_path / "upstream", other)
    assert "no checkpoint of the two-stage U-Net" in refused(folder, tmp_path)


def test_missing_variable_is_named(tmp_path, variables):
    del variables[f"{tf['PREFIX']}sam_1/conv1/bias{tf['SUFFIX']}"]
    folder = tf["write_checkpoint"](tmp_path / "upstream", variables)
    assert "sam_1.conv1.bias missing" in refused(folder, tmp_path)


def test_folder_without_index_is_refused(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "found none" in refused(empty, tmp_path)


def test_missing_and_damaged_archives_are_refused(tmp_path, folder):
    assert "cannot be unpacked" in refused(tmp_path / "absent.zip", tmp_path)
    archive = tf["zip_checkpoint"](folder, tmp_path / "checkpoint.zip")
    data = archive.read_bytes()
    archive.write_bytes(data[: len(data) // 2])
    assert "zip archive" in refused(archive, tmp_path)
    archive.write_bytes(data[:2000] + bytes(500) + data[2500:])
    assert "checkpoint.zip" in refused(archive, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.zip", "upstream"]


def test_archive_that_unpacks_without_end_is_refused(tmp_path):
    """Eighty megabytes of zeros under a name that is wanted."""
    archive = tmp_path / "checkpoint.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("checkpoint.data-00000-of-00001", bytes(80 << 20))
    assert "unpacks to more than 64 MiB" in refused(archive, tmp_path)
    assert list(tmp_path.iterdir()) == [archive]


NUMBER, MESSAGE = tf["number"], tf["message"]


def entry_of(*sizes, n_bytes=4, offset=0, shard=0):
    """A record with a shape of any sizes."""
    shape = b"".join(MESSAGE(2, NUMBER(1, size)) for size in sizes)
    return NUMBER(1, 1) + MESSAGE(2, shape) + NUMBER(3, shard) + NUMBER(4, offset) + NUMBER(5, n_bytes)


@pytest.mark.parametrize(
    "record",
    [
        entry_of(2**63, 2**63),
        entry_of(2**32, 2**32, n_bytes=0),
        entry_of(0, n_bytes=0),
        entry_of(*[1] * 100),
        entry_of(1, offset=2**63),
        entry_of(1, shard=2**63),
        entry_of(2**61, n_bytes=2**63),
        NUMBER(1, 1) + MESSAGE(2, b"\x0a" * 40),
        b"\xff" * 9,
        b"",
    ],
    ids=range(10),
)
def test_index_with_right_checksums_and_wrong_numbers_is_refused(tmp_path, folder, record):
    index = folder / "checkpoint.index"
    index.write_bytes(tf["table"]([(b"", NUMBER(1, 1)), (b"layer_with_weights-0/a", record)]))
    assert str(index) in refused(folder, tmp_path)


@pytest.mark.parametrize("n_shards", [2**40, 2**63])
def test_index_of_endless_shards_is_refused_at_once(tmp_path, folder, n_shards):
    (folder / "checkpoint.index").write_bytes(tf["table"]([(b"", NUMBER(1, n_shards))]))
    assert "data files" in refused(folder, tmp_path)


def test_random_bytes_and_cut_files_are_refused(tmp_path, folder):
    index = folder / "checkpoint.index"
    whole, rng = index.read_bytes(), np.random.default_rng(1)
    footer = whole[-8:]
    for n_bytes in (0, 1, 47, 48, 100, 5000):
        for end in (b"", footer):
            index.write_bytes(rng.bytes(n_bytes) + end)
            assert str(index) in refused(folder, tmp_path)
        index.write_bytes(whole[:-n_bytes] + footer)
        assert n_bytes == 0 or str(index) in refused(folder, tmp_path)


def test_scalar_where_the_widths_are_read_is_refused(tmp_path, variables):
    name = next(key for key in variables if key.endswith("encoder_s1/i_block/conv2d_res/kernel" + tf["SUFFIX"]))
    variables[name] = np.float32(1.0)[()] * np.ones(())
    folder = tf["write_checkpoint"](tmp_path / "upstream", variables)
    assert "no checkpoint of the two-stage U-Net" in refused(folder, tmp_path)
