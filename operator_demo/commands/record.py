"""`operator-demo record`: a recorded run as a recording of the terminal, and as pictures."""

from pathlib import Path

import click

from operator_demo import chapters
from operator_demo.commands import completion, output
from operator_demo.errors import UsageError
from operator_demo.home import file_errors
from operator_demo.replay.folded import Folded
from operator_demo.replay.live_text import with_live_text
from operator_demo.replay.source import load
from operator_demo.replay.timeline import Timeline

TITLE = "./operator-demo run"


@click.command()
@click.argument("record", metavar="RUN|FILE|SUBJECT/SCENARIO", shell_complete=completion.replayed)
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              shell_complete=completion.file,
              help="RUN.cast: the terminal, for asciinema. PICTURE.svg: the screen at the end of --chapter.")
@click.option("--svg", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              shell_complete=completion.folder,
              help="Write a picture of each chapter's end into this folder.")
@click.option("--chapter", type=click.Choice(chapters.NAMES), default="verified", show_default=True,
              help="Which chapter a single picture shows.")
@click.option("--columns", type=click.IntRange(40, 300), default=120, show_default=True, help="Width of the screen.")
@click.option("--lines", type=click.IntRange(10, 120), default=36, show_default=True, help="Height of the screen.")
@click.option("--idle-limit", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True,
              help="Seconds that a time without news takes at most.")
def record(record: str, file: Path | None, folder: Path | None, chapter: str, columns: int, lines: int,
           idle_limit: float) -> None:
    """Write a recorded run as a recording of the terminal (asciicast v3), or as SVG pictures.

    RUN is an id, the beginning of exactly one, or `last`; FILE one that `audit export` wrote; SUBJECT/SCENARIO a
    recording that this program brings.
    """
    if (file is None) == (folder is None):
        raise UsageError("Either -o FILE or --svg FOLDER is needed.", "For instance -o run.cast, or --svg pictures.")
    if file is not None and file.suffix not in (".cast", ".svg"):
        raise UsageError(f"{file} tells not what to write.", "Let its name end with .cast or .svg.")
    timeline = Timeline(with_live_text(load(record).events), idle_limit)
    pictures = Pictures(timeline, (columns, lines))
    if folder is not None:
        with file_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(timeline.chapters, 1):
            write(folder / f"{number}-{name}.svg", pictures.end_of(name))
    elif file is not None and file.suffix == ".svg":
        if chapter not in timeline.chapters:
            raise UsageError(f"{record} never reached the chapter {chapter}.", "`audit show` tells how far it came.")
        write(file, pictures.end_of(chapter))
    elif file is not None:
        write(file, cast(timeline, (columns, lines)))


class Pictures:
    def __init__(self, timeline: Timeline, size: tuple[int, int]) -> None:
        self._timeline, self._size = timeline, size
        self._folded = Folded(timeline.events)

    def end_of(self, chapter: str) -> str:
        """The screen just before the next chapter, as an SVG."""
        from operator_demo.screen.picture import svg  # Rich is needed for this one only

        state = self._folded.state(self._timeline.end_of(chapter))
        return svg(state, state.latest, self._size, TITLE)


def cast(timeline: Timeline, size: tuple[int, int]) -> str:
    from operator_demo.replay.cast import asciicast
    from operator_demo.screen.picture import Painter

    return "".join(f"{line}\n" for line in asciicast(timeline, size, Painter(size).lines))


def write(file: Path, text: str) -> None:
    with file_errors(file):
        file.write_text(text, encoding="utf-8")
    output.aside(f"{file} was written.")
