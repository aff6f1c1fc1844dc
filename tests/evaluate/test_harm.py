"""What a method costs: means beside each other, singers apart, the share made worse, the worst by name."""

from concertclean.evaluate.harm import harm_table
from concertclean.evaluate.scoring import Scored


def scored(name, ratio, gain, *, method="concert", kind="applause", sung=False, lost=-9.0, left=-12.0):
    return Scored(name, method, kind, ratio, {}, {"sisdr": gain}, is_sung=sung, music_lost_db=lost, noise_left_db=left)


FOUND = [
    scored("0 dB/1", 0.0, 4.0, sung=True, lost=-6.0, left=-10.0),
    scored("0 dB/2", 0.0, 2.0, kind="cheer"),
    scored("12 dB/1", 12.0, -0.6, sung=True),
    scored("12 dB/2", 12.0, -0.4, kind="cheer"),
    scored("0 dB/1", 0.0, 0.0, method="unprocessed", lost=-200.0, left=0.0),
    scored("0 dB/1", 0.0, 1.0, method="afftdn"),
]


def test_methods_singers_and_kinds_have_lines():
    title, header, body = harm_table(FOUND, {"concert"})
    assert title.startswith("music lost / noise left")
    assert header == ["method", "+0 dB", "+12 dB", "worse", "worst", "recording"]
    assert [line[0] for line in body] == [
        "concert", "concert, sung", "concert, not sung", "concert, applause", "concert, cheer", "afftdn",
    ]  # fmt: skip
    assert body[0] == ["concert", "-7.5 / -11.0", "-9.0 / -12.0", "25 %", "-0.6", "12 dB/1"]
    assert body[1] == ["concert, sung", "-6.0 / -10.0", "-9.0 / -12.0", "50 %", "-0.6", "12 dB/1"]
    assert body[-1] == ["afftdn", "-9.0 / -12.0", "- / -", "0 %", "+1.0", "0 dB/1"]


def test_without_sisdr_there_are_parts_and_no_worst():
    bare = Scored("0 dB/1", "concert", "", 0.0, {}, {}, music_lost_db=-9.0, noise_left_db=-12.0)
    assert harm_table([bare], set())[2] == [["concert", "-9.0 / -12.0", "-", "-", ""]]


def test_clean_music_and_nothing_at_all_make_no_lines():
    assert harm_table([Scored("clean/1", "concert", "", float("inf"), {}, {})], set())[2] == []
