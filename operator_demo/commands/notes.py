"""`operator-demo notes`: the presenter's view of a run, for a terminal that the audience does not see."""

import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from operator_demo.commands import completion, output
from operator_demo.commands.signals import end_by_exception
from operator_demo.home import store_path
from operator_demo.screen.color import choose_display

if TYPE_CHECKING:
    from operator_demo.presenter import View


@click.command()
@click.argument("run", required=False, shell_complete=completion.recorded("run"))
def notes(run: str | None) -> None:
    """Follow a run in a second terminal: speaker notes, what comes next, the clocks, the ticket.

    Without RUN it follows the current run, or else the next one, so it may be started before `operator-demo run`. RUN
    is an id, the beginning of exactly one, or `last`.

    Space brings the run forward and p pauses the agent, as in the run's own terminal. With `run --talk 20m` it shows
    the plan and the time that is left. It ends with the run; q or Ctrl-C ends it earlier. Needs no engine.
    """
    from operator_demo import presenter

    end_by_exception(signal.SIGTERM, signal.SIGHUP)  # the terminal is given back
    # A run that is over is printed from its beginning to its end.
    full = choose_display("auto", sys.stdin, sys.stdout, os.environ) == "tui" and not presenter.is_over(
        store_path(), run)
    view = _view(full)
    if not full and run is None:
        output.aside("Waiting for the current run, or the next one; Ctrl-C ends this.")
    over = False
    view.start()
    try:
        over = presenter.present(store_path(), run, view)
    finally:
        if over:
            view.stop()
        else:
            view.abandon()


def _view(full: bool) -> "View":
    if full:
        from operator_demo.screen.speaker_live import SpeakerScreen

        return SpeakerScreen(sys.stdout, os.environ)
    from operator_demo.screen.speaker import SpeakerLines

    return SpeakerLines(sys.stdout, os.environ)
