"""Scores of a listening test, with answers worked out on paper."""

import json
from pathlib import Path

import pytest
from PIL import Image

from concertclean.errors import ConfigError, OutputError
from concertclean.report.scores import (
    ConditionScore,
    Rating,
    Screened,
    draw_boxes,
    read_results,
    relative,
    screen,
    summarise,
)


def rating(participant: str, item: str, condition: str, score: float) -> Rating:
    role = condition if condition == "reference" else "condition"
    return Rating("t1", participant, item, condition, role, score)


def test_mean_interval_and_quartiles() -> None:
    """50, 60, 70, 80: s = 12.9099, t(0.975; 3) = 3.18245, so the half width is 3.18245 · 12.9099 / 2 = 20.5426."""
    low = [rating("a", f"i{n}", "low", 10.0) for n in range(2)]
    (first, second) = summarise(low + [rating("a", f"i{n}", "x", 50.0 + 10 * n) for n in range(4)])
    assert (first.condition, first.n, first.mean, first.median) == ("x", 4, 65.0, 65.0)
    assert first.ci95 == pytest.approx(20.5426, abs=1e-3)
    assert (first.lower_quartile, first.upper_quartile) == (57.5, 72.5)
    assert second == ConditionScore("low", "condition", 2, 10.0, 0.0, 10.0, 10.0, 10.0)
    assert summarise([rating("a", "i", "x", 50)])[0].ci95 is None


def test_post_screening() -> None:
    """More than 15 % of the items: 1 of 7 is 14 %, 1 of 6 is 17 %; 90 itself is high enough."""
    fine = [rating("fine", f"i{n}", "reference", 80 if n == 0 else 90) for n in range(7)]
    poor = [rating("poor", f"i{n}", "reference", 89 if n == 0 else 100) for n in range(6)]
    other = [rating("other", "i0", "x", 20)]
    kept, excluded = screen(fine + poor + [rating("poor", "i0", "x", 50)] + other)
    assert kept == fine + other
    assert excluded == [Screened("poor", 1, 6)]


def test_a_hidden_noisy_recording_leaves_nobody_out() -> None:
    """It is expected at 0, where the rule for the hidden reference would leave everybody out."""
    ratings = [Rating("t1", "a", f"i{n}", "noisy recording", "noisy", 5.0 * n) for n in range(3)]
    assert screen(ratings) == (ratings, [])
    (score,) = summarise(ratings)
    assert (score.role, score.mean) == ("noisy", 5.0)


def test_differences_from_the_noisy_recording_of_the_same_listener_and_item() -> None:
    given = {("a", "i0"): (20, 50, 35), ("a", "i1"): (0, 40, 0), ("b", "i0"): (60, 50, 100)}
    ratings = []
    for (listener, item), (noisy, first, second) in given.items():
        ratings += [Rating("t1", listener, item, "noisy recording", "noisy", noisy)]
        ratings += [rating(listener, item, "first", first), rating(listener, item, "second", second)]
    found = relative(ratings)
    assert [one.score for one in found] == [30, 15, 40, 0, -10, 40]
    assert {one.condition for one in found} == {"first", "second"}
    assert {score.condition: score.mean for score in summarise(found)} == {"first": 20, "second": pytest.approx(55 / 3)}


def test_differences_need_a_noisy_recording() -> None:
    with pytest.raises(ConfigError, match="a rated no hidden noisy recording of 'i'"):
        relative([rating("a", "i", "x", 50)])


def saved(path: Path, participant: str = "Ann", score: object = 70, test: str = "t1", role: str = "condition") -> Path:
    ratings = [{"item": "one", "condition": "x", "role": role, "score": score}]
    path.write_text(json.dumps({"test": test, "participant": participant, "ratings": ratings}))
    return path


def test_json_and_csv_say_the_same(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text('test,participant,item,condition,role,score,place\r\nt1,"Ann",one,x,condition,70,1\r\n')
    both = read_results([saved(tmp_path / "a.json"), table])
    assert both == [Rating("t1", "Ann", "one", "x", "condition", 70.0)]


def test_roles_of_a_result(tmp_path: Path) -> None:
    assert read_results([saved(tmp_path / "a.json", role="noisy")])[0].role == "noisy"
    with pytest.raises(ConfigError, match="role"):
        read_results([saved(tmp_path / "b.json", role="mask")])


@pytest.mark.parametrize(
    ("text", "name"),
    [("{", "a.json"), ("{}", "a.json"), ("[1]", "a.json"), ("a,b\n1,2\n", "a.csv"), ("", "a.json")],
)
def test_what_is_no_result(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=r"not a result of a listening test"):
        read_results([tmp_path / name])


def test_wrong_results(tmp_path: Path) -> None:
    good = saved(tmp_path / "a.json")
    with pytest.raises(ConfigError, match="score 101 must be 0 to 100"):
        read_results([saved(tmp_path / "b.json", score=101)])
    with pytest.raises(ConfigError, match="Ann scored 'x' of 'one' differently"):
        read_results([good, saved(tmp_path / "c.json", score=71)])
    with pytest.raises(ConfigError, match="from 2 tests"):
        read_results([good, saved(tmp_path / "d.json", test="t2")])
    with pytest.raises(ConfigError, match=r"missing\.json: cannot be read"):
        read_results([tmp_path / "missing.json"])
    (tmp_path / "e.json").write_text('{"test": "t", "participant": "p", "ratings": []}')
    with pytest.raises(ConfigError, match="no ratings found"):
        read_results([tmp_path / "e.json"])


def test_box_plots(tmp_path: Path) -> None:
    ratings = [rating(p, i, c, s) for p in "ab" for i in "cd" for c, s in (("x $y$", 40), ("reference", 100))]
    target = tmp_path / "boxes.png"
    draw_boxes(target, ratings, title="2 listeners, 2 items", overwrite=False)
    with Image.open(target) as image:
        assert image.size[0] > 400
        assert len(image.convert("RGB").getcolors(10**6)) > 50
    with pytest.raises(OutputError, match="already exists"):
        draw_boxes(target, ratings, title="", overwrite=False)
