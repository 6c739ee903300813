"""Which version this is and from which commit.

The build writes version and commit into `operator_demo/_build.py` of its own copy of the sources, never into the work
tree; so a work tree has no such module and says so.
"""

from importlib.util import find_spec
from pathlib import Path


def describe() -> str:
    """What `--version` prints, for example `operator-demo 0.1.0 (commit abc1234, modified)`."""
    return f"operator-demo {version()} ({origin()})"


def version() -> str:
    if find_spec("operator_demo._build"):
        from operator_demo import _build  # type: ignore[attr-defined]

        return str(_build.VERSION)
    import tomllib

    project = tomllib.loads((_work_tree() / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def origin() -> str:
    """`commit abc1234`, with `, modified` where the built tree was not the commit's, or `work tree`."""
    if find_spec("operator_demo._build"):
        from operator_demo import _build  # type: ignore[attr-defined]

        return f"commit {_build.COMMIT}" + (", modified" if _build.MODIFIED else "")
    return "work tree"


def _work_tree() -> Path:
    return Path(__file__).resolve().parent.parent
