"""For all tests: several run side by side on a small machine, so how long an example takes says nothing; and the
engine, which is reached only by those that ask for it."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from operator_demo.engine import Engine, connect

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    made = connect()
    yield made
    made.close()
