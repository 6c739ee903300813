"""What is told of a member in a crash loop, which is in another state at each look."""

import pytest

from operator_demo.chaos.data import crash_words


@pytest.mark.parametrize(("restarts", "state", "words"), [
    (1, {"Status": "running", "ExitCode": 0}, "was restarted once and is in a new attempt to start"),
    (3, {"Status": "restarting", "ExitCode": 101},
     "was restarted 3 times, ended with status 101 and waits for its next start"),
    (2, {"Status": "dead", "ExitCode": 1}, "was restarted 2 times and is dead (status 1)"),
])
def test_it_is_told_as_it_is(restarts: int, state: dict[str, object], words: str) -> None:
    assert crash_words(restarts, state) == words
