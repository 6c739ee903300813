import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "e2e"), str(Path(__file__).parent)]

from presenter import Demo  # noqa: E402


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with Demo.performed(tmp_path / "home") as made:
        yield made
