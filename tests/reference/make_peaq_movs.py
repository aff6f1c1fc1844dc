"""Writes peaq_movs.json: the model output variables of PEAQ by plain loops, frame by frame and band by band.

A literal transcription of the formulas that shares no line with the package; only the Fourier transform is numpy's.
The signals are formulas too, in peaq_pairs.py, so that only the results are stored.

    python tests/reference/make_peaq_movs.py     (numpy 2.4.6, about a minute)
"""

import json
from math import asinh, atan, cos, exp, log, log10, pi, prod, sin, sinh, sqrt, trunc
from pathlib import Path

import numpy as np
from peaq_pairs import NAMES, pair

RATE, NF, NC, DZ = 48_000, 2048, 109, 0.25


def band_tables() -> tuple[list[float], list[float], list[float]]:
    to_bark, to_hertz = (lambda f: 7 * asinh(f / 650)), (lambda z: 650 * sinh(z / 7))
    zl = [to_bark(80) + i * DZ for i in range(NC)]
    zu = [min(to_bark(18_000), z + DZ) for z in zl]
    middle = [(a + b) / 2 for a, b in zip(zl, zu, strict=True)]
    return [to_hertz(z) for z in zl], [to_hertz(z) for z in middle], [to_hertz(z) for z in zu]


FL, FC, FU = band_tables()
EIN = [10 ** (0.4 * 0.364 * (f / 1000) ** -0.8) for f in FC]
TAU_SPREAD = [exp(-1024 / (RATE * (0.008 + 100 / f * 0.022))) for f in FC]
TAU_ADAPT = [exp(-1024 / (RATE * (0.008 + 100 / f * 0.042))) for f in FC]


def level_factor() -> float:
    fcn, k = 1019.5 / RATE, int(1019.5 / RATE * NF)
    d = min((k + 1) / NF - fcn, fcn - k / NF) * (NF - 1)
    gamma = sin(pi * d) / (pi * d * (1 - d * d))
    return 10 ** (92 / 20) / (gamma * (32768 / 4) * (NF - 1))


def spectra(frame: np.ndarray) -> tuple[list[float], list[float]]:
    """Energies before and after ear weighting, 1025 each, of a frame in 16-bit steps."""
    windowed = [0.5 * (1 - cos(2 * pi * k / (NF - 1))) * float(frame[k]) for k in range(NF)]
    lines = np.fft.rfft(windowed) * level_factor()
    power = [float(abs(line)) ** 2 for line in lines]
    result = [0.0]
    for k in range(1, NF // 2 + 1):
        f = k * RATE / NF / 1000
        w = -2.184 * f**-0.8 + 6.5 * exp(-0.6 * (f - 3.3) ** 2) - 0.001 * f**3.6
        result.append(power[k] * 10 ** (w / 10))
    return power, result


def to_bands(power: list[float]) -> list[float]:
    df, result = RATE / NF, []
    for i in range(NC):
        total = 0.0
        for k in range(NF // 2 + 1):
            overlap = min(FU[i], (k + 0.5) * df) - max(FL[i], (k - 0.5) * df)
            if overlap > 0:
                total += power[k] * overlap / df
        result.append(max(total, 1e-12))
    return result


def spread_sum(energy: list[float]) -> list[float]:
    down = 10 ** (-2.7 * DZ)
    total = [0.0] * NC
    for i in range(NC):
        up = 10 ** ((-2.4 - 23 / FC[i]) * DZ) * energy[i] ** (0.2 * DZ)
        norm = sum(down**j for j in range(i + 1)) + sum(up**j for j in range(NC - i)) - 1
        for j in range(NC):
            slope = down ** (i - j) if j <= i else up ** (j - i)
            total[j] += (energy[i] / norm * slope) ** 0.4
    return [value**2.5 for value in total]


ONES = spread_sum([1.0] * NC)


class Ear:
    """One signal in one channel; states start at 0."""

    def __init__(self) -> None:
        self.filtered, self.loudness, self.slope, self.average = ([0.0] * NC for _ in range(4))

    def hear(self, frame: np.ndarray) -> None:
        self.frame = frame
        self.power, self.weighted = spectra(frame)
        noisy = [e + n for e, n in zip(to_bands(self.weighted), EIN, strict=True)]
        unsmeared = [s / one for s, one in zip(spread_sum(noisy), ONES, strict=True)]
        self.excitation, self.modulation = [0.0] * NC, [0.0] * NC
        for i in range(NC):
            a, b = TAU_SPREAD[i], TAU_ADAPT[i]
            self.filtered[i] = a * self.filtered[i] + (1 - a) * unsmeared[i]
            self.excitation[i] = max(self.filtered[i], unsmeared[i])
            loud = unsmeared[i] ** 0.3
            self.slope[i] = b * self.slope[i] + (1 - b) * RATE / 1024 * abs(loud - self.loudness[i])
            self.average[i] = b * self.average[i] + (1 - b) * loud
            self.loudness[i] = loud
            self.modulation[i] = self.slope[i] / (1 + self.average[i] / 0.3)

    def total_loudness(self) -> float:
        total = 0.0
        for i in range(NC):
            f = FC[i] / 1000
            et = 10 ** (0.364 * f**-0.8)
            s = 10 ** (0.1 * (-2 - 2.05 * atan(f / 4) - 0.75 * atan((f / 1.6) ** 2)))
            n = 1.07664 * (et / (1e4 * s)) ** 0.23 * ((1 - s + s * self.excitation[i] / et) ** 0.23 - 1)
            total += max(n, 0.0)
        return 24 / NC * total

    def is_energetic(self) -> bool:
        return sum(float(x) ** 2 for x in self.frame[1024:]) >= 8000


class Adapter:
    """Level and pattern adaptation of one channel."""

    def __init__(self) -> None:
        self.pr, self.pt, self.rn, self.rd, self.cr, self.ct = ([0.0] * NC for _ in range(6))

    def adapt(self, er: list[float], et: list[float]) -> tuple[list[float], list[float]]:
        numerator = denominator = 0.0
        for i in range(NC):
            b = TAU_ADAPT[i]
            self.pr[i] = b * self.pr[i] + (1 - b) * er[i]
            self.pt[i] = b * self.pt[i] + (1 - b) * et[i]
            numerator += sqrt(self.pt[i] * self.pr[i])
            denominator += self.pt[i]
        lc = (numerator / denominator) ** 2
        if lc > 1:
            er = [e / lc for e in er]
        else:
            et = [e * lc for e in et]
        ratio_r, ratio_t = [1.0] * NC, [1.0] * NC
        for i in range(NC):
            self.rn[i] = TAU_ADAPT[i] * self.rn[i] + et[i] * er[i]
            self.rd[i] = TAU_ADAPT[i] * self.rd[i] + er[i] ** 2
            r = self.rn[i] / self.rd[i]
            if r >= 1:
                ratio_t[i] = 1 / r
            else:
                ratio_r[i] = r
        for i in range(NC):
            near = range(max(0, i - 3), min(NC - 1, i + 4) + 1)
            b = TAU_ADAPT[i]
            self.cr[i] = b * self.cr[i] + (1 - b) * sum(ratio_r[j] for j in near) / len(near)
            self.ct[i] = b * self.ct[i] + (1 - b) * sum(ratio_t[j] for j in near) / len(near)
        return [e * c for e, c in zip(er, self.cr, strict=True)], [e * c for e, c in zip(et, self.ct, strict=True)]


def harmonic(ref: Ear, test: Ear) -> float:
    d = [0.0] * 512
    for k in range(512):
        r, t = ref.weighted[k], test.weighted[k]
        if r == 0 and t == 0:
            continue
        if r == 0 or t == 0:
            return 0.0  # infinite, and nothing that follows would have a value
        d[k] = log(t / r)
    c = []
    start = sum(d[k] ** 2 for k in range(256))
    for lag in range(256):
        norm = sqrt(start * sum(d[k + lag] ** 2 for k in range(256)))
        c.append(sum(d[k] * d[k + lag] for k in range(256)) / norm if norm > 0 else 1.0)
    mean = sum(c) / 256
    windowed = [(c[m] - mean) * sqrt(8 / 3) * 0.5 * (1 - cos(2 * pi * m / 255)) / 256 for m in range(256)]
    s = [float(abs(v)) ** 2 for v in np.fft.rfft(windowed)]
    return max([s[k] for k in range(1, 129) if s[k] > s[k - 1]], default=0.0)


def bandwidth(ref: Ear, test: Ear) -> tuple[int, int] | None:
    floor = max(test.power[921:1024])
    wide = max([k + 1 for k in range(921) if ref.power[k] > 10 * floor], default=0)
    if wide <= 346:
        return None
    return wide, max([k + 1 for k in range(wide) if test.power[k] >= 10**0.5 * floor], default=0)


def noise_to_mask(ref: Ear, test: Ear) -> list[float]:
    error = [r - 2 * sqrt(r * t) + t for r, t in zip(ref.weighted, test.weighted, strict=True)]
    result = []
    for i, energy in enumerate(to_bands(error)):
        m = 3.0 if i * DZ <= 12 else 0.25 * i * DZ
        result.append(energy / (ref.excitation[i] / 10 ** (m / 10)))
    return result


def detect(er: float, et: float) -> tuple[float, float]:
    r, t = 10 * log10(er), 10 * log10(et)
    level = 0.3 * max(r, t) + 0.7 * t
    s = 1e30
    if level > 0:
        s = 5.95072 * (6.39468 / level) ** 1.71332 + 9.01033e-11 * level**4 + 5.05622e-6 * level**3
        s += -0.00102438 * level**2 + 0.0550197 * level - 0.198719
    return 1 - 0.5 ** (abs((r - t) / s) ** (4 if er > et else 6)), abs(trunc(r - t)) / s


def noise_loudness(ref: Ear, test: Ear, epr: list[float], ept: list[float]) -> float:
    total = 0.0
    for i in range(NC):
        sr, st = 0.15 * ref.modulation[i] + 0.5, 0.15 * test.modulation[i] + 0.5
        beta = exp(-1.5 * (ept[i] - epr[i]) / epr[i])
        excess = max(st * ept[i] - sr * epr[i], 0.0) / (EIN[i] + sr * epr[i] * beta)
        total += (EIN[i] / st) ** 0.23 * ((1 + excess) ** 0.23 - 1)
    return 24 / NC * total


def modulation_differences(ref: Ear, test: Ear) -> tuple[float, float, float]:
    first = second = weight = 0.0
    for i in range(NC):
        r, t = ref.modulation[i], test.modulation[i]
        first += abs(t - r) / (1 + r)
        second += (1 if t >= r else 0.1) * abs(t - r) / (0.01 + r)
        weight += ref.average[i] / (ref.average[i] + 100 * EIN[i] ** 0.3)
    return 100 / NC * first, 100 / NC * second, weight


def is_valid(frames: list[np.ndarray]) -> bool:
    runs = [frame[start : start + 5] for frame in frames for start in range(NF - 4)]
    return any(sum(abs(float(x)) for x in run) >= 200 for run in runs)


def listen(reference: np.ndarray, estimate: np.ndarray) -> list[dict]:
    """Everything frame by frame, for `(channel, time)` in 16-bit steps."""
    n_channels, n_samples = reference.shape
    count = n_samples // 1024
    missing = [(0, 0), (0, (count + 1) * 1024 - n_samples)]
    ref_padded, test_padded = np.pad(reference, missing), np.pad(estimate, missing)
    ears = [(Ear(), Ear(), Adapter()) for _ in range(n_channels)]
    rows = []
    for n in range(count):
        row: dict = {"number": n, "channels": [], "p": [0.0] * NC, "q": [0.0] * NC, "heard": False, "energetic": False}
        at = slice(1024 * n, 1024 * n + NF)
        row["valid"] = is_valid([ref_padded[c, at] for c in range(n_channels)])
        for c, (ref, test, adapter) in enumerate(ears):
            ref.hear(ref_padded[c, at])
            test.hear(test_padded[c, at])
            epr, ept = adapter.adapt(ref.excitation, test.excitation)
            row["heard"] |= ref.total_loudness() > 0.1 and test.total_loudness() > 0.1
            row["energetic"] |= ref.is_energetic() or test.is_energetic()
            for i in range(NC):
                p, q = detect(ref.excitation[i], test.excitation[i])
                row["p"][i], row["q"][i] = max(p, row["p"][i]), max(q, row["q"][i])
            of_channel = {"bandwidth": bandwidth(ref, test), "nmr": noise_to_mask(ref, test)}
            of_channel["modulation"] = modulation_differences(ref, test)
            of_channel["loudness"] = noise_loudness(ref, test, epr, ept)
            row["channels"].append(of_channel | {"harmonic": harmonic(ref, test)})
        rows.append(row)
    return rows


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def channel_movs(rows: list[dict], c: int, loud_from: int) -> dict[str, float]:
    """The nine variables of a channel from the frames with music; a row keeps its number in the recording."""
    of = [(row, row["channels"][c]) for row in rows]
    late = [item["modulation"] for row, item in of if row["number"] >= 24]
    weights = sum(w for _, _, w in late)
    roots = [sqrt(x) for x, _, _ in late]
    windows = [(sum(roots[n - 3 : n + 1]) / 4) ** 4 for n in range(3, len(roots))]
    loudness = [item["loudness"] ** 2 for row, item in of if row["number"] >= max(24, loud_from + 3)]
    wide = [item["bandwidth"] for _, item in of if item["bandwidth"]]
    return {
        "BandwidthRefB": mean([r for r, _ in wide]),
        "BandwidthTestB": mean([t for _, t in wide]),
        "TotalNMRB": 10 * log10(mean([mean(item["nmr"]) for _, item in of])),
        "WinModDiff1B": sqrt(mean(windows)),
        "EHSB": 1000 * mean([item["harmonic"] for row, item in of if row["energetic"]]),
        "AvgModDiff1B": sum(x * w for x, _, w in late) / weights,
        "AvgModDiff2B": sum(x * w for _, x, w in late) / weights,
        "RmsNoiseLoudB": sqrt(mean(loudness)),
        "RelDistFramesB": mean([float(max(item["nmr"]) > 10**0.15) for _, item in of]),
    }


def movs(reference: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    rows = listen(reference * 32768, estimate * 32768)
    loud_from = min([row["number"] for row in rows if row["heard"]], default=len(rows))
    valid = [row["number"] for row in rows if row["valid"]]
    rows = rows[valid[0] : valid[-1] + 1]
    channels = [channel_movs(rows, c, loud_from) for c in range(len(reference))]
    result = {name: mean([channel[name] for channel in channels]) for name in channels[0]}
    filtered = highest = total = count = 0
    for row in rows:
        noticed = 1 - prod(1 - p for p in row["p"])
        filtered = 0.9 * filtered + 0.1 * noticed
        highest = max(highest, filtered)
        if noticed > 0.5:
            total, count = total + sum(row["q"]), count + 1
    distorted = 0.0 if not count else -0.5 if total == 0 else log10(total / count)
    return result | {"ADBB": distorted, "MFPDB": highest}


if __name__ == "__main__":
    VALUES = {name: movs(*pair(name)) for name in NAMES}
    Path(__file__).with_name("peaq_movs.json").write_text(json.dumps(VALUES, indent=2) + "\n")
