import pytest

from concertclean.config.times import parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("75", 75),
        ("75.5", 75.5),
        (".5", 0.5),
        ("1:15", 75),
        ("0:05", 5),
        ("1:15.5", 75.5),
        ("90:00", 5400),
        ("0:01:15.5", 75.5),
        ("2:00:00", 7200),
        (" 5 ", 5),
    ],
)
def test_times(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "-1", "nan", "inf", "1e3", "1:60", "1:75", "1:60:00", "1:", ":5", "1:2:3:4", "1:-5", "1.5:00", "\u0663"],
)
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match=r"is no time; write 75, 1:15 or 0:01:15\.5"):
        parse_time(text)
