"""Tables: every row where it belongs, the same numbers in every form, and JSON that any program reads."""

import csv
import io
import json
import math

import pytest

from concertclean.evaluate.scoring import Scored
from concertclean.evaluate.tables import as_csv, as_json, as_markdown, file_table, ratio_tables, rows_of
from concertclean.metrics.catalogue import Score

SNR, LSD = Score("snr", "dB"), Score("lsd", "dB", "lower")


def scored(name, method, ratio, value, gain=None, kind="hiss"):
    gains = {} if gain is None else {"snr": gain}
    return Scored(name, method, kind, ratio, {"snr": value}, gains)


@pytest.fixture
def judged():
    """Two mixtures at two ratios and clean, as they are and under one model."""
    found = []
    for number, kind in enumerate(("hiss", "roar")):
        for ratio in (math.inf, 0.0, 5.0):
            name = f"{ratio:g} dB/{number}"
            found.append(scored(name, "unprocessed", ratio, ratio, kind=kind))
            gain = None if ratio == math.inf else 4.0 + 2 * number
            found.append(scored(name, "model", ratio, 30.0 if gain is None else ratio + gain, gain, kind))
    return found


def test_files_make_a_line_a_score_and_a_line_a_gain():
    rows = rows_of([scored("a", "", None, 10.0, 3.0), scored("b", "", None, 12.0, 4.0)], [SNR])
    _, header, body = file_table(rows)
    assert header == ["score", "n", "mean", "95 %", "median", "worst", "recording"]
    assert body == [
        ["snr, dB", "2", "11.0", "±12.7", "11.0", "10.0", "a"],  # 12.706 is Student's t for one degree of freedom
        ["gain in snr, dB", "2", "+3.5", "±6.4", "3.5", "3.0", "a"],
    ]


def test_an_identical_estimate_and_an_undefined_score_are_words():
    rows = rows_of([scored("a", "", None, math.inf)], [SNR])
    assert file_table(rows)[2] == [["snr, dB", "0", "identical", "", "-", "-", ""]]
    rows = rows_of([scored("a", "", None, None)], [SNR])
    assert file_table(rows)[2][0][2] == "-"


def test_methods_make_lines_and_ratios_columns(judged):
    ((title, header, body),) = ratio_tables(rows_of(judged, [SNR]))
    assert title.startswith("snr, dB")
    assert header == ["method", "+0 dB", "+5 dB", "clean", "worst"]
    assert body == [
        ["unprocessed", "0.00 ±0.00", "5.0 ±0.00", "identical", "0.00"],
        ["model", "5.0 ±12.7", "5.0 ±12.7", "30.0 ±0.00", "4.0"],
    ]


def test_kinds_come_below_their_method(judged):
    ((_, _, body),) = ratio_tables(rows_of(judged, [SNR], by_kind=True))
    assert [line[0] for line in body] == [
        "unprocessed", "unprocessed, hiss", "unprocessed, roar", "model", "model, hiss", "model, roar",
    ]  # fmt: skip
    assert [line[1] for line in body[4:]] == ["4.0", "6.0"]


def test_kinds_can_be_left_to_the_models(judged):
    ((_, _, body),) = ratio_tables(rows_of(judged, [SNR], by_kind=True), {"model"})
    assert [line[0] for line in body] == ["unprocessed", "model", "model, hiss", "model, roar"]


def test_markdown_holds_the_same_cells(judged):
    tables = ratio_tables(rows_of(judged, [SNR]))
    lines = as_markdown(tables).splitlines()
    assert lines[2] == "| method | +0 dB | +5 dB | clean | worst |"
    assert lines[-1] == "| model | 5.0 ±12.7 | 5.0 ±12.7 | 30.0 ±0.00 | 4.0 |"


def test_csv_has_a_line_a_row(judged):
    lines = list(csv.DictReader(io.StringIO(as_csv(rows_of(judged, [SNR])))))
    (line,) = [one for one in lines if (one["method"], one["ratio_db"], one["is_gain"]) == ("model", "5.0", "True")]
    assert (line["n"], line["mean"], line["worst"], line["worst_name"]) == ("2", "5.0", "4.0", "5 dB/0")


def test_json_has_no_infinity_and_says_why(judged):
    text = as_json(rows_of(judged, [SNR]), judged, {"split": "test"})
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["split"] == "test"
    clean = read["recordings"][0]
    assert (clean["ratio_db"], clean["scores"]["snr"]) == ("clean", None)
    assert clean["scores"]["note"] == "identical: snr"


def test_lower_is_better_where_it_is():
    rows = rows_of([Scored(n, "", "", None, {"lsd": v}, {}) for n, v in (("a", 1.0), ("b", 4.0))], [LSD])
    assert rows[0].summary.worst == (4.0, "b")


def test_the_worst_of_a_line_leaves_clean_music_out_and_knows_what_is_better(judged):
    found = [Scored("a", "m", "", r, {"lsd": v}, {}) for r, v in ((0.0, 3.0), (5.0, 2.0), (math.inf, 9.0))]
    ((_, _, body),) = ratio_tables(rows_of(found, [LSD]))
    assert body[0][-1] == "3.0"


def test_a_rounded_zero_has_no_minus(judged):
    for one in judged:
        if one.gains:
            one.gains["snr"] = -0.001
    ((_, _, body),) = ratio_tables(rows_of(judged, [SNR]))
    assert body[1][1] == "0.00 ±0.00"
