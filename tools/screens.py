"""Draws the screen at the end of each chapter of a recorded run, at three sizes, to be looked at:

    PYTHONPATH=. python tools/screens.py FOLDER [RUN|FILE|SUBJECT/SCENARIO]

As SVG, and as PNG where `rsvg-convert` is at hand.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from operator_demo.commands.record import Pictures
from operator_demo.replay.live_text import with_live_text
from operator_demo.replay.source import load
from operator_demo.replay.timeline import Timeline

SIZES = ((80, 24), (120, 40), (200, 60))
IDLE = 2.0  # seconds of silence that are kept


def draw(folder: Path, record: str) -> None:
    timeline = Timeline(with_live_text(load(record).events), IDLE)
    folder.mkdir(parents=True, exist_ok=True)
    for columns, lines in SIZES:
        pictures = Pictures(timeline, (columns, lines))
        for number, name in enumerate(timeline.chapters, 1):
            file = folder / f"{columns}x{lines}-{number}-{name}.svg"
            file.write_text(pictures.end_of(name), encoding="utf-8")
            _rasterise(file)


def _rasterise(file: Path) -> None:
    converter = shutil.which("rsvg-convert")
    if converter:
        subprocess.run([converter, "--width", "1600", "-o", file.with_suffix(".png"), file], check=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    draw(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else "etcd/member-kill")
