"""What the engine may know: nothing of Compose files, which are read and applied on top of it."""

from pathlib import Path

import pytest

import operator_demo.engine

MODULES = sorted(Path(operator_demo.engine.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_engine_does_not_import_compose(module: Path) -> None:
    assert "operator_demo.compose" not in module.read_text()
