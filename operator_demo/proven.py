"""What was proved of a subject's scenarios on real containers. Written from runs, never by hand.

A built-in subject has a `proven.json` inside the program, from the last test run. What `scenarios prove` saw on this
machine is in the home folder and counts more; for a subject of the user's own it is in the subject's folder.
"""

import json
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from operator_demo.errors import OperatorError, UsageError
from operator_demo.home import home, replace_json
from operator_demo.subject import Found

PROVEN = "proven.json"
REHEARSAL, WITHOUT_AGENT = "scenarios", "without_agent"  # sections of the file

Entry = Mapping[str, Any]
"""{outcome, reached, cause, ttd, ttm, version, date}: `cause` is what was named, `ttd` and `ttm` are seconds; each of
these may be None."""


def read(found: Found, section: str = REHEARSAL) -> dict[str, Entry]:
    """The entries of a section, by scenario. Raises `UsageError` for a file that cannot be read."""
    entries = dict(_whole(found.folder.joinpath(PROVEN)).get(section, {}))
    if found.outside:
        return entries
    try:
        path = path_to_write(found)
    except OperatorError:  # there is no home folder
        return entries
    return entries | _whole(path).get(section, {})


def note(found: Found, section: str, scenario: str, entry: Entry) -> None:
    """Writes down what was seen; other entries of the file stay."""
    path = path_to_write(found)
    whole = _whole(path)
    whole.setdefault(section, {})[scenario] = dict(entry)
    replace_json(path, {name: dict(sorted(entries.items())) for name, entries in sorted(whole.items())}, indent=1)


def path_to_write(found: Found) -> Path:
    """The file of this machine. Raises `OperatorError` without a home folder."""
    if found.outside:
        return Path(str(found.folder)) / PROVEN
    return home() / "proven" / f"{found.folder.name}.json"


def _whole(file: Traversable) -> dict[str, dict[str, Entry]]:
    try:
        whole = json.loads(file.read_text(encoding="utf-8"))
        return {section: dict(entries) for section, entries in whole.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as e:
        raise UsageError(f"{file} cannot be read: {e}") from e
