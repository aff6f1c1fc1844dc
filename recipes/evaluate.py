"""The README's tables: models and the tools people use today, on songs and noises that no training run saw.

    python recipes/evaluate.py data/concert concert --items 100 --tools
    python recipes/evaluate.py data/gramophone gramophone --items 100 --tools

Item n takes excerpt n of the test songs and, in turn, one kind of the test noises, at every ratio. A row gives the mean
gain in SI-SDR over the degraded recording with its 95 % interval, then the gain in SNR, which attenuation raises too
(row "one gain"); then the SNR of clean music sent through, and the item that lost most.
"""

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from concertclean.dataset.mixing import filled, mix
from concertclean.dataset.shelf import Shelf
from concertclean.dataset.store import Store
from concertclean.dataset.synthesis import crowd, disc
from concertclean.dataset.synthesis.shaping import rms
from concertclean.inference import Enhancer
from concertclean.metrics.sdr import si_sdr, snr
from concertclean.models.registry import load_model

SECONDS = 6.0
QUIETEST = 3e-3  # rms of an excerpt: in quieter ones the noise would be below 16 bits
Array = np.ndarray
Method = Callable[[Array], Array]
Noise = Callable[[np.random.Generator, int], Array]


def model_method(name: str) -> Method:
    """A model as `concertclean denoise` runs it."""
    enhancer = Enhancer(load_model(name).model)

    def run(degraded: Array) -> Array:
        blocks = (degraded[:, i : i + 65_536].astype(np.float64) for i in range(0, degraded.shape[1], 65_536))
        return np.concatenate(list(enhancer.stream(blocks, len(degraded))), axis=1)

    return run


def filter_method(name: str, options: str, rate: int) -> Method:
    """A filter of FFmpeg, through PyAV, moved back by the delay it has."""
    import av
    from av.filter import Graph

    def run(degraded: Array) -> Array:
        layout = "stereo" if len(degraded) == 2 else "mono"
        graph = Graph()
        nodes = [graph.add_abuffer(sample_rate=rate, format="fltp", layout=layout, channels=len(degraded))]
        nodes += [graph.add(name, options), graph.add("aformat", f"sample_fmts=fltp:channel_layouts={layout}")]
        nodes.append(graph.add("abuffersink"))
        for first, second in pairwise(nodes):
            first.link_to(second)
        graph.configure()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(degraded, np.float32), "fltp", layout)
        frame.sample_rate, frame.pts = rate, 0
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


def aligned(reference: Array, estimate: Array) -> Array:
    """An estimate moved back by the delay its method has, up to 4096 samples."""
    size = 1 << (2 * reference.shape[1] - 1).bit_length()
    spectrum = np.fft.rfft(estimate[0], size) * np.fft.rfft(reference[0], size).conj()
    lag = int(np.argmax(np.fft.irfft(spectrum)[:4096]))
    return np.pad(estimate[:, lag:], ((0, 0), (0, lag)))


def methods_of(a: argparse.Namespace, rate: int) -> dict[str, Method | None]:
    """Rows of the table; None stands for the one best gain, which needs the clean recording."""
    methods: dict[str, Method | None] = {"silence": np.zeros_like, "one gain (needs the clean recording)": None}
    if a.tools:
        methods["ffmpeg afftdn"] = filter_method("afftdn", "nr=20:nf=-30:tn=1", rate)
        methods["ffmpeg adeclick"] = filter_method("adeclick", "", rate)
        try:
            import noisereduce

            methods["noisereduce, stationary"] = lambda d: noisereduce.reduce_noise(d, rate, stationary=True)
        except ImportError:
            print("noisereduce is not installed: left out")
    return methods | {Path(name).stem: model_method(name) for name in a.models}


def kinds_of(store: Store) -> dict[str, Noise]:
    """Each kind of noise of the test split, by name: `(rng, n_samples)` to `(channel, time)`."""
    rate, task = store.header.sample_rate, store.header.task
    entries = {e.category + ("" if task == "gramophone" else f" {e.title}"): e for e in store.select("noise", "test")}
    shelf = Shelf(store, "noise", "test")

    def recorded(category: str) -> Noise:
        def make(rng: np.random.Generator, n_samples: int) -> Array:
            if task == "concert":
                return filled(shelf.excerpt(rng, entries[category], n_samples), n_samples)
            one_kind = Shelf(store, "noise", "test", categories=[category])
            return filled(one_kind.draw(rng, n_samples / rate), n_samples)

        return make

    kinds = {category: recorded(category) for category in entries}
    speech = Shelf(store, "speech", "test")
    if task == "gramophone":
        kinds["synthetic"] = lambda rng, n: disc.disc_noise(rng, n, rate)
    elif speech:
        kinds["near voices"] = lambda rng, n: crowd.near_voices(rng, n, rate, clips=[speech])
    return kinds


def items_of(store: Store, n_items: int) -> list[tuple[str, Array, Array]]:
    """Kind, song and noise of every item; songs in turn, each excerpt at another place."""
    songs, kinds = Shelf(store, "clean", "test"), kinds_of(store)
    n_samples = round(SECONDS * store.header.sample_rate)
    items, number = [], 0
    while len(items) < n_items:
        rng = np.random.default_rng((20, number))
        name = list(kinds)[len(items) % len(kinds)]
        entry = songs.entries[number * 7 % len(songs.entries)]  # 7 and the 31 songs have no common divisor
        song = filled(songs.excerpt(rng, entry, n_samples), n_samples)
        number += 1
        if rms(song) > QUIETEST:
            items.append((name, song, kinds[name](rng, n_samples)))
    return items


def best_gain(degraded: Array, clean: Array) -> Array:
    """The degraded recording at the one gain that gives the highest SNR."""
    return degraded * (degraded * clean).sum() / np.square(degraded).sum()


def gains_of(method: Method | None, song: Array, noise: Array, ratio: float) -> tuple[float, float]:
    """Gain in SI-SDR and in SNR of one mixture."""
    degraded, clean = (each.astype(np.float64) for each in mix(song, noise, ratio))
    estimate = best_gain(degraded, clean) if method is None else method(degraded)
    return si_sdr(clean, estimate) - si_sdr(clean, degraded), snr(clean, estimate) - snr(clean, degraded)


def print_row(name: str, gains: Array, passed: str = "") -> None:
    """One row; `gains` is `(ratio, item, 2)`."""
    cells = []
    for values in gains:
        half = 1.96 * values[:, 0].std() / np.sqrt(len(values))
        scale_free = "-" if not np.isfinite(values[:, 0]).all() else f"{values[:, 0].mean():+.1f} ±{half:.1f}"
        cells.append(f"{scale_free} / {values[:, 1].mean():+.1f}")
    worst = f"{gains[..., 0].min():+.1f}" if np.isfinite(gains[..., 0]).all() else "-"
    print(f"| {name} | " + " | ".join(cells) + f" | {passed} | {worst} |", flush=True)


def main() -> None:
    """Prints the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("dataset", type=Path)
    ask.add_argument("models", nargs="*", help="names or files; none: only the comparisons")
    ask.add_argument("--items", type=int, default=100)
    ask.add_argument("--ratios", type=float, nargs="+")
    ask.add_argument("--tools", action="store_true", help="also the tools people use today")
    a = ask.parse_args()
    store = Store(a.dataset)
    ratios = a.ratios or {"concert": [-5, 0, 5, 12], "gramophone": [3, 5, 10]}[store.header.task]
    items = items_of(store, a.items)
    kinds = list(dict.fromkeys(kind for kind, _, _ in items))
    print(f"{len(items)} items of {SECONDS:.0f} s, test split; noises: {', '.join(kinds)}")
    print("| method | " + " | ".join(f"{r:+g} dB in" for r in ratios) + " | clean | worst |")
    print("|---|" + "---|" * (len(ratios) + 2))
    for name, method in methods_of(a, store.header.sample_rate).items():
        with np.errstate(invalid="ignore"):  # silence has no SI-SDR
            gains = np.array([[gains_of(method, song, noise, r) for _, song, noise in items] for r in ratios])
        clean = [song.astype(np.float64) for _, song, _ in items]
        passed = "" if method is None else f"{np.mean([min(snr(c, method(c)), 100) for c in clean]):.1f}"
        print_row(name, gains, passed)
        if name in {Path(model).stem for model in a.models}:
            for kind in kinds:
                print_row(kind, gains[:, [each == kind for each, _, _ in items]])


if __name__ == "__main__":
    main()
