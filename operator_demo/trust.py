"""Which subjects' folders may run their Python on this machine: those whose content somebody agreed to, once.

The home keeps the digest of each content that was agreed to. Other content is refused, and asked for by those commands
that can ask.
"""

import shlex
import time
from collections.abc import Callable
from pathlib import Path

from operator_demo.errors import UsageError
from operator_demo.home import file_errors, home, make_private_folder, replace_json
from operator_demo.subject_code import SubjectCode

_FOLDER = "trust"

Agree = Callable[[SubjectCode], None]
"""Returns where the code may run; raises where it may not."""


def refuse_unknown(code: SubjectCode) -> None:
    """Raises `UsageError` for content that nobody agreed to."""
    if not is_trusted(code):
        raise UsageError(f"{code.folder} holds Python that would run on this machine, and nobody has agreed to it yet.",
                         "Read it, then type: operator-demo scenarios list "
                         f"{shlex.quote(str(code.folder))} --trust")


def agreed_by_the_host(code: SubjectCode) -> None:
    """For our containers: the host copied the folder in after somebody had agreed to it."""


def is_trusted(code: SubjectCode) -> bool:
    return _file(code).exists()


def remember(code: SubjectCode) -> None:
    replace_json(_file(code), {"folder": str(code.folder), "files": sorted(code.sources), "agreed": time.time()})


def trust_folder() -> Path:
    """What this home trusts: contents of subjects, and images of our own."""
    return home() / _FOLDER


def share(other_home: Path) -> None:
    """Gives a home that this process makes for another the trust of ours."""
    ours, link = trust_folder(), other_home / _FOLDER
    with file_errors(link):
        make_private_folder(ours)
        if not link.exists():
            link.unlink(missing_ok=True)  # of a home that has moved
            link.symlink_to(ours)


def _file(code: SubjectCode) -> Path:
    return trust_folder() / "subjects" / f"{code.digest}.json"
