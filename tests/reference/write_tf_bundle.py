"""Writes checkpoints in TensorFlow's format; made from its description, with nothing of concertclean.

`two_stage_tf_keys.tsv.gz` beside this file lists the 284 variables of the published network with their
shapes in TensorFlow and in torch. It was made with TensorFlow 2.15 and Keras 2.15 by building the
authors' model class (eloimoliner/denoising-historical-recordings, unet.py) at depth 6 and listing what
`save_weights` wrote.
"""

import struct
import zipfile

import numpy as np

MAGIC = 0xDB4775248B80FB57
PREFIX, SUFFIX = "layer_with_weights-0/", "/.ATTRIBUTES/VARIABLE_VALUE"


def _crc_table():
    table = []
    for octet in range(256):
        value = octet
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for octet in data:
        crc = _TABLE[(crc ^ octet) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value):
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*octets, value])


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, body):
    return varint(field << 3 | 2) + varint(len(body)) + body


def block(records, restart_interval=4):
    """Prefix-compressed records with a restart point every few."""
    body, restarts, last = b"", [], b""
    for position, (key, value) in enumerate(records):
        shared = 0
        if position % restart_interval == 0:
            restarts.append(len(body))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        body += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    restarts = restarts or [0]
    return body + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def table(records, *, block_records=7, compression=0):
    """A LevelDB table of sorted records: several blocks, meta index, index, footer."""
    file, index = b"", []

    def append(body):
        nonlocal file
        kind = bytes([compression])
        handle = varint(len(file)) + varint(len(body))
        file += body + kind + struct.pack("<I", masked(body + kind))
        return handle

    for start in range(0, len(records), block_records):
        chunk = records[start : start + block_records]
        index.append((chunk[-1][0], append(block(chunk))))
    footer = append(block([])) + append(block(index, 1))
    return file + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def entry(array, offset, dtype=1):
    """A BundleEntryProto."""
    data = array.astype("<f4").tobytes()
    shape = b"".join(message(2, number(1, size)) for size in array.shape)
    parts = number(1, dtype) + message(2, shape)
    parts += number(4, offset) if offset else b""
    return parts + number(5, len(data)) + varint(6 << 3 | 5) + struct.pack("<I", masked(data))


def write_checkpoint(folder, variables, *, compression=0, dtype=1):
    """Writes checkpoint, checkpoint.index and the one data shard, with an object graph as TensorFlow does."""
    folder.mkdir(parents=True, exist_ok=True)
    # An odd number of bytes in front, as the object graph is, leaves every array unaligned.
    graph = b"not parsed!"
    data, records = graph, []
    header = number(1, 1) + message(3, number(1, 1))
    records.append((b"", header))
    records.append((b"_CHECKPOINTABLE_OBJECT_GRAPH", number(1, 7) + message(2, b"") + number(5, len(graph))))
    for key, array in sorted(variables.items()):
        records.append((key.encode(), entry(array, len(data), dtype)))
        data += array.astype("<f4").tobytes()
    (folder / "checkpoint").write_text('model_checkpoint_path: "checkpoint"\n')
    (folder / "checkpoint.index").write_bytes(table(sorted(records), compression=compression))
    (folder / "checkpoint.data-00000-of-00001").write_bytes(data)
    return folder


def two_stage_variables(widths, seed=0):
    """Random variables of a small two-stage U-Net under the published names, in TensorFlow's shapes."""
    rng = np.random.default_rng(seed)
    top, shapes = widths[0], {}
    shapes["conv2d_1"] = shapes["conv2d_2"] = (7, 7, 12, top)
    shapes |= {"sam_1/conv1": (3, 3, top, top), "sam_1/conv2": (3, 3, top, 2), "sam_1/conv3": (3, 3, 2, top)}
    shapes["finalblock/conv2"] = (3, 3, top, 2)

    def i_block(name, inputs, width):
        for layer in range(3):
            shapes[f"{name}/i_block/tfc/H/{layer}"] = (3, 3, inputs + layer * width, width)
        shapes[f"{name}/i_block/conv2d_res"] = (1, 1, inputs, width)

    for stage in (1, 2):
        i_block(f"encoder_s{stage}", widths[-1], widths[-1])
        for level in range(len(widths) - 1):
            width, below = widths[level], widths[level + 1]
            down, up = f"encoder_s{stage}/eblocks/{level}", f"decoder_s{stage}/dblocks/{level}"
            i_block(down, stage * top if level == 0 else width, width)
            shapes[f"{down}/conv2d_2"] = (4, 4, width, below)
            i_block(up, 2 * width, width)
            shapes[f"{up}/tconv_1"] = (4, 4, width, below)
            if width != below:
                shapes[f"{up}/projection"] = (1, 1, below, width)
    variables = {}
    for name, shape in shapes.items():
        n_out = shape[2] if name.endswith("tconv_1") else shape[3]
        variables[f"{PREFIX}{name}/kernel{SUFFIX}"] = rng.standard_normal(shape, np.float32)
        variables[f"{PREFIX}{name}/bias{SUFFIX}"] = rng.standard_normal(n_out, np.float32)
    return variables


def zip_checkpoint(folder, archive):
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.iterdir()):
            packed.write(path, path.name)
        packed.writestr("__MACOSX/._checkpoint.index", b"a double that is no index")
    return archive
