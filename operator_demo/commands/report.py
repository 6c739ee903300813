"""`operator-demo report`: one run as a page to send, or as Markdown to paste."""

import os
import sys
from pathlib import Path

import click

from operator_demo.commands import completion, output
from operator_demo.home import file_errors, private_opener


@click.command()
@click.argument("run", metavar="RUN|FILE|SUBJECT/SCENARIO", shell_complete=completion.replayed)
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              shell_complete=completion.file,
              help="Where to write it; - is stdout.  [default: RUN.html or RUN.md, here]")
@click.option("--md", "as_markdown", is_flag=True, help="A post-mortem in Markdown instead of a page.")
@click.option("--compare", "other", metavar="RUN", shell_complete=completion.replayed,
              help="Draw this run pale behind, for instance one without an agent.")
def report(run: str, file: Path | None, as_markdown: bool, other: str | None) -> None:
    """Write RUN as one HTML file, to open and send: it needs no network and holds all that it shows.

    RUN is an id, the beginning of exactly one, or `last`; FILE one that `audit export` wrote; SUBJECT/SCENARIO a
    recording that this program brings. What looks like a secret is left out. Needs no engine.
    """
    from operator_demo.redaction import secrets_of
    from operator_demo.report.digest import digest
    from operator_demo.report.page import run_page
    from operator_demo.report.postmortem import postmortem
    from operator_demo.report.source import recorded

    chosen = recorded(run)
    told = digest(chosen, secrets_of(os.environ), recorded(other) if other else None)
    text = postmortem(told) if as_markdown else run_page(told)
    if file == Path("-"):
        sys.stdout.write(text)
        return
    target = file or Path(chosen.chain.run + (".md" if as_markdown else ".html"))
    with file_errors(target), open(target, "w", encoding="utf-8", opener=private_opener) as written:
        written.write(text)
    output.aside(f"{chosen.chain.run} was written to {target}.")
