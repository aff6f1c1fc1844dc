"""How often `analyse` is right about recordings of 30 s made from the test side: music, crowds and speech unseen.

python recipes/scene_accuracy.py data/concert [--items 200] [--detector scenes]
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from concertclean.audio_io.whole import write_waveform
from concertclean.config.mixing import DetectLaw
from concertclean.dataset.scenes import Scenes
from concertclean.dataset.store import Store
from concertclean.restore.analyse import analyse
from concertclean.restore.scenes import load_scenes

SECONDS = 30.0


def main() -> None:
    """Reads the command line and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--detector", default="scenes")
    parser.add_argument("--split", choices=["validation", "test"], default="test")
    arguments = parser.parse_args()
    store, classifier = Store(arguments.dataset), load_scenes(arguments.detector)
    # A crowd that is hardly heard and a disc that hardly hisses are clean music to anybody.
    law = DetectLaw(task="detect", crowd_db=(-8.0, 10.0), disc_db=(0.0, 20.0))
    scenes = Scenes(store, law, arguments.split, seed=0)
    found: Counter[tuple[str, str, bool]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.wav"
        for number in range(arguments.items):
            item = scenes.item(number, round(SECONDS * scenes.sample_rate))
            write_waveform(path, item.degraded, scenes.sample_rate, overwrite=True)
            diagnosis = analyse(path, classifier)
            found[item.kind, diagnosis.scene, diagnosis.is_doubtful] += 1
    report(found)


def report(found: "Counter[tuple[str, str, bool]]") -> None:
    """A line for each true scene: right, wrong by what, doubtful; then all together.

    Args:
        found: number of recordings by true scene, found scene and doubt.
    """
    for truth in dict.fromkeys(scene for scene, _, _ in found):
        counts = Counter({(scene, doubt): n for (true, scene, doubt), n in found.items() if true == truth})
        total = sum(counts.values())
        right = sum(n for (scene, _), n in counts.items() if scene == truth)
        wrong = {scene: sum(counts[scene, doubt] for doubt in (True, False)) for scene, _ in counts if scene != truth}
        doubtful = sum(n for (_, doubt), n in counts.items() if doubt)
        print(f"{truth:<8} {100 * right / total:.0f} % of {total} right, {doubtful} doubtful, taken for {wrong or '-'}")
    total = sum(found.values())
    right = sum(n for (truth, scene, _), n in found.items() if truth == scene)
    sure = sum(n for (_, _, doubt), n in found.items() if not doubt)
    sure_right = sum(n for (truth, scene, doubt), n in found.items() if truth == scene and not doubt)
    print(f"all: {100 * right / total:.1f} % right; {100 * sure_right / max(1, sure):.1f} % of the {sure} not doubtful")


if __name__ == "__main__":
    main()
