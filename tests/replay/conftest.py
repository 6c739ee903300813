import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "screen"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of the program."""
    monkeypatch.setenv("OPERATOR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
