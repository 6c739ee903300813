"""The host hears everything, whatever the engine does with the logs."""

import pytest
from presenter import Demo

pytestmark = [pytest.mark.e2e, pytest.mark.wide]


@pytest.mark.parametrize("logging", [{"OPERATOR_LOG_DRIVER": "none"}, {"OPERATOR_LOG_SIZE": "10k"}])
def test_no_event_is_lost_or_repeated(demo: Demo, logging: dict[str, str]) -> None:
    demo.environment = logging
    result = demo.run("--scenario", "member-kill", "--keep")
    assert result.status == 0, result.story
    down = demo.command("down", "--project", demo.project, "--volumes")
    assert down.returncode == 0
    for source in ("stage", "monitor", "agent", "workload"):
        numbers = [e["seq"] for e in result.events if e["source"] == source and e["seq"] is not None]
        assert numbers == list(range(1, len(numbers) + 1)), source
        assert numbers
