"""Whatever bytes a file holds, it is read or refused with one of our errors."""

import pytest

from concertclean.config.reading import read_toml
from concertclean.config.text import parse_json, parse_toml, read_records, read_text
from concertclean.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def save(data):
        path = tmp_path / "file"
        path.write_bytes(data)
        return path

    return save


def records(path):
    return list(read_records(path, "build it again"))


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\\r"])
def test_lines_end_at_line_feeds_alone(write, separator):
    path = write(f'{{"name": "one{separator}two"}}\n{{"name": "b"}}\n'.encode().replace(b"\x0b", b"\\u000b"))
    path.write_bytes(path.read_bytes().replace(b"\x0c", b"\\f").replace(b"\x1c", b"\\u001c"))
    assert [number for number, _ in records(path)] == [1, 2]
    assert len(records(path)[0][1]["name"]) == 7


def test_byte_order_mark_windows_line_ends_and_empty_lines_are_no_fault(write):
    assert records(write(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}')) == [(1, {"a": 1}), (3, {"a": 2})]
    assert read_toml(write(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")) == {"a": 1, "b": 2}


def test_last_line_cut_off_by_an_interruption_is_left_out(write):
    assert records(write(b'{"a": 1}\n{"a": ')) == [(1, {"a": 1})]


@pytest.mark.parametrize("data", [b'{"a": 1}\n{"a": \n', b'{"a": \n{"a": 1}\n', b"no record", b"[1]\n", b"[" * 100_000])
def test_line_that_is_no_record_is_named(write, data):
    with pytest.raises(ConfigError, match=r"file: line [12] is not a record.*; build it again"):
        records(write(data))


def test_deep_nesting_is_an_error_of_the_value(write):
    for parse, text in ((parse_json, "[" * 100_000), (parse_toml, "a = " + "[" * 100_000)):
        with pytest.raises(ValueError, match="nested too deeply"):
            parse(text)
    with pytest.raises(ConfigError, match=r"file: cannot be read as TOML .*nested too deeply"):
        read_toml(write(b"a = " + b"[" * 100_000))


@pytest.mark.parametrize("data", [b"\xff\xfea\x00", b"caf\xe9"])
def test_other_encodings_are_refused(write, data):
    with pytest.raises(ConfigError, match=r"file: cannot be read as UTF-8 text .*; save it anew"):
        read_text(write(data), "save it anew")


def test_missing_file_and_folder_are_refused(tmp_path):
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ConfigError, match=r"cannot be read \(.*\); save it anew"):
            read_text(path, "save it anew")
