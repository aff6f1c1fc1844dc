"""Measures models on mixtures of the test split: songs and noises no training run saw.

    python evaluate.py BANKS concert MODEL... --items 12
    python evaluate.py BANKS gramophone MODEL... --items 12

Every song excerpt meets every noise at every ratio. Printed: the mean gain in SI-SDR and in SNR over the degraded
input, with the 95 % interval of the mean, and what clean music loses on the way through. The rows "silence" and
"one gain" show what plain attenuation earns in SNR; SI-SDR is immune to it. `afftdn` and `adeclick` are FFmpeg's
filters, `noisereduce` the Python package if it is installed.
"""

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from mixing import RATE, Bank, butter_sos, crackle, hiss, mix, power, scratches
from scipy.signal import sosfilt

from concertclean.audio_io.reader import AudioReader
from concertclean.inference import Enhancer
from concertclean.models.registry import load_model

Array = np.ndarray
Method = Callable[[Array], Array]
SECONDS = 8.0
BLOCK = RATE


def si_sdr_db(reference: Array, estimate: Array) -> float:
    """Scale-invariant signal-to-distortion ratio, means removed, mean over channels (Le Roux et al. 2019)."""
    reference = reference - reference.mean(1, keepdims=True)
    estimate = estimate - estimate.mean(1, keepdims=True)
    scale = (reference * estimate).sum(1, keepdims=True) / ((reference**2).sum(1, keepdims=True) + 1e-12)
    target = scale * reference
    ratio = (target**2).sum(1) / (((estimate - target) ** 2).sum(1) + 1e-12)
    return float(np.mean(10 * np.log10(ratio + 1e-12)))


def snr_db(reference: Array, estimate: Array) -> float:
    """Signal-to-noise ratio over all channels."""
    return 10 * float(np.log10(power(reference) / (power(reference - estimate) + 1e-12)))


def model_method(name: str) -> Method:
    """A trained model."""
    enhancer = Enhancer(load_model(name).model)

    def run(degraded: Array) -> Array:
        blocks = (degraded[:, i : i + BLOCK] for i in range(0, degraded.shape[1], BLOCK))
        return np.concatenate(list(enhancer.stream(blocks, len(degraded))), axis=1)

    return run


def filter_method(*filters: tuple[str, str]) -> Method:
    """A chain of FFmpeg audio filters, through PyAV."""

    def run(degraded: Array) -> Array:
        layout = "stereo" if len(degraded) == 2 else "mono"
        graph = av.filter.Graph()
        nodes = [graph.add_abuffer(sample_rate=RATE, format="fltp", layout=layout, time_base="1/44100")]
        nodes += [graph.add(name, options) for name, options in filters]
        nodes.append(graph.add("aformat", f"sample_fmts=fltp:channel_layouts={layout}"))
        nodes.append(graph.add("abuffersink"))
        for first, second in pairwise(nodes):
            first.link_to(second)
        graph.configure()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(degraded, np.float32), "fltp", layout)
        frame.sample_rate, frame.pts = RATE, 0
        nodes[0].push(frame)
        nodes[0].push(None)
        parts = []
        while True:
            try:
                parts.append(nodes[-1].pull().to_ndarray())
            except (av.EOFError, av.BlockingIOError):
                break
        audio = np.concatenate(parts, axis=1)[:, : degraded.shape[1]].astype(np.float64)
        return aligned(degraded, np.pad(audio, ((0, 0), (0, degraded.shape[1] - audio.shape[1]))))

    return run


def noisereduce_method() -> Method | None:
    """The noisereduce package, stationary mode, if it is installed."""
    try:
        import noisereduce
    except ImportError:
        return None
    return lambda degraded: noisereduce.reduce_noise(degraded, RATE, stationary=True)


def aligned(reference: Array, estimate: Array) -> Array:
    """An estimate moved back by the delay its method has, up to 4096 samples; FFmpeg's filters have one."""
    size = 1 << (2 * reference.shape[1] - 1).bit_length()
    spectrum = np.fft.rfft(estimate[0], size) * np.fft.rfft(reference[0], size).conj()
    lag = int(np.argmax(np.fft.irfft(spectrum)[:4096]))
    return np.pad(estimate[:, lag:], ((0, 0), (0, lag)))


def excerpts(banks: Path, n_items: int, n_samples: int) -> list[Array]:
    """One excerpt of each of `n_items` test songs `(channel, time)`, spread over the packages."""
    bank = Bank(banks, "music_test")
    chosen = [bank.index[i] for i in np.linspace(0, len(bank.index) - 1, n_items).astype(int)]
    pieces = []
    for _, start, length in chosen:
        at = start + max(0, (length - n_samples) // 2)
        pieces.append(bank.audio[at : at + n_samples].T / 32767.0)
    return [piece for piece in pieces if piece.shape[1] == n_samples and power(piece) > 1e-5]


def concert_noises(banks: Path, n_samples: int) -> dict[str, Array]:
    """The crowds of the test split."""
    bank = Bank(banks, "crowd_test")
    rng = np.random.default_rng(1)
    noises = {}
    for entry in bank.index:
        bank.index, bank.cumulative = [entry], np.array([1.0])
        noises[Path(entry[0]).stem] = bank.filled(rng, n_samples).T.astype(np.float64)
    return noises


def looped(pieces: list[Array], n_samples: int) -> Array:
    """Pieces of one noise `(time,)` again and again, joined by cross-fades of 20 ms."""
    fade = int(0.02 * RATE)
    ramp = np.linspace(0, 1, fade)
    total = pieces[-1][-fade:]
    while len(total) < n_samples + fade:
        for piece in pieces:
            joint = total[-fade:] * (1 - ramp) + piece[:fade] * ramp
            total = np.concatenate([total[:-fade], joint, piece[fade:]])
    return total[fade : n_samples + fade]


def surface(path: Path, spans: list[tuple[float, float]], n_samples: int) -> Array:
    """Surface noise of a real disc: the spans in s where it turns without music, offset removed, `(time,)`."""
    with AudioReader(path) as reader:
        audio = reader.read(10 * 60 * RATE).mean(axis=0)
    audio = audio - audio.mean()
    return looped([audio[int(a * RATE) : int(b * RATE)] for a, b in spans], n_samples)


def gramophone_noises(banks: Path, disc_1936: Path, n_samples: int) -> dict[str, Array]:
    """Real surface noise of a 1936 disc, held-out rain and fire, and synthetic disc noise."""
    rng = np.random.default_rng(2)
    noises = {"surface 1936": surface(disc_1936, [(0.05, 0.6), (176.6, 177.4)], n_samples)}
    bank = Bank(banks, "disc_test")
    noises["rain, fire"] = bank.filled(rng, n_samples)[:, 0]
    parts = hiss(rng, n_samples), crackle(rng, n_samples), scratches(rng, n_samples)
    mixed = sum(part / np.sqrt(power(part)) * gain for part, gain in zip(parts, (1, 0.6, 0.3), strict=True))
    noises["synthetic"] = sosfilt(butter_sos(2, 9000, "low"), mixed)
    return {name: noise[None].astype(np.float64) for name, noise in noises.items()}


def test_split(banks: Path, system: str, n_items: int, disc_1936: Path | None) -> tuple[list[Array], dict[str, Array]]:
    """Songs and noises of a system's test split, `(channel, time)` each."""
    n_samples = int(SECONDS * RATE)
    songs = excerpts(banks, n_items, n_samples)
    if system == "concert":
        return songs, concert_noises(banks, n_samples)
    noises = gramophone_noises(banks, disc_1936, n_samples)
    return [song.mean(0, keepdims=True) for song in songs], noises


def best_gain(degraded: Array, clean: Array) -> Array:
    """The one gain that gives the highest SNR; needs the clean recording."""
    return degraded * (degraded * clean).sum() / (degraded**2).sum()


def methods_of(a: argparse.Namespace) -> dict[str, Method | None]:
    """Rows of the table; None stands for the one best gain, which needs the clean recording."""
    methods: dict[str, Method | None] = {"silence": np.zeros_like, "one gain": None}
    if a.tools:
        methods["afftdn"] = filter_method(("afftdn", "nr=20:nf=-30:tn=1"))
        methods["adeclick"] = filter_method(("adeclick", ""))
        if (reduce := noisereduce_method()) is not None:
            methods["noisereduce"] = reduce
    return methods | {Path(name).stem: model_method(name) for name in a.models}


def gain_db(name: str, method: Method | None, song: Array, noise: Array, ratio: float) -> tuple[float, float]:
    """Gain in SI-SDR and in SNR of one mixture."""
    degraded, clean = mix(song, noise, ratio)
    estimate = best_gain(degraded, clean) if method is None else method(degraded)
    scale_free = si_sdr_db(clean, estimate) - si_sdr_db(clean, degraded) if name != "silence" else np.nan
    return scale_free, snr_db(clean, estimate) - snr_db(clean, degraded)


def print_row(name: str, gains: Array, passed: str) -> None:
    """One row; `gains` is `(ratio, item, 2)`."""
    mean = gains.mean(1)
    half = 1.96 * gains[..., 0].std(1) / np.sqrt(gains.shape[1])
    cells = [f"{m[0]:+.1f} ±{h:.1f} / {m[1]:+.1f}" for m, h in zip(mean, half, strict=True)]
    print(f"| {name} | " + " | ".join(cells) + f" | {passed} |", flush=True)


def main() -> None:
    """Prints the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("banks", type=Path)
    ask.add_argument("system", choices=["concert", "gramophone"])
    ask.add_argument("models", nargs="*", help="names or files; none: only the comparisons")
    ask.add_argument("--items", type=int, default=12)
    ask.add_argument("--surface", type=Path, help="the 1936 transfer (freedink-data denube.ogg), for gramophone")
    ask.add_argument("--ratios", type=float, nargs="+", default=[-5, 0, 5, 12])
    ask.add_argument("--tools", action="store_true", help="also the tools people use today")
    ask.add_argument("--kinds", action="store_true", help="also one row a kind of noise")
    a = ask.parse_args()
    songs, noises = test_split(a.banks, a.system, a.items, a.surface)
    print(f"{len(songs)} songs x {len(noises)} noises ({', '.join(noises)}), {SECONDS:.0f} s each")
    print("Gain in SI-SDR, 95 % interval of the mean / gain in SNR; SNR of clean music passed through.")
    print("| method | " + " | ".join(f"{r:+.0f} dB in" for r in a.ratios) + " | clean |")
    print("|---|" + "---|" * (len(a.ratios) + 1))
    for name, method in methods_of(a).items():
        gains = np.array(
            [[[gain_db(name, method, s, noise, r) for noise in noises.values()] for s in songs] for r in a.ratios]
        )
        passed = "" if method is None else f"{np.mean([snr_db(song, method(song)) for song in songs]):.1f}"
        print_row(name, gains.reshape(len(a.ratios), -1, 2), passed)
        if a.kinds:
            for i, kind in enumerate(noises):
                print_row(f"{name}: {kind}", gains[:, :, i], "")


if __name__ == "__main__":
    main()
