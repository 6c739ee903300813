"""What each of our containers mounts: by it the guard knows its callers, and nobody else has what is the guard's."""

from importlib.resources import files

import pytest

from operator_demo.compose import load_project

ENV = {"OPERATOR_IMAGE": "operator-demo/agent:x", "OPERATOR_NETWORK": "n", "OPERATOR_RUN": "run-1",
       "OPERATOR_SUBJECT": "etcd", "OPERATOR_PROJECT": "demo-etcd", "OPERATOR_BRAIN": "claude",
       "OPERATOR_MODEL": "m", "OPERATOR_API_KEY": ""}


@pytest.mark.parametrize(("source", "who"), [
    ("/var/run/docker.sock", {"guard"}), ("guard-memory", {"guard"}), ("agent-engine", {"guard", "agent"}),
    ("monitor-engine", {"guard", "monitor"}), ("model", {"relay", "agent", "observer"})])
def test_who_mounts_what(source: str, who: set[str]) -> None:
    project = load_project(files("compose_templates"), "agent.compose.yaml", project="demo-etcd-operator", env=ENV,
                           profiles=["execute", "observe", "claude"])
    mounts = {name: {mount.source for mount in service.mounts} for name, service in project.services.items()}
    assert {name for name, sources in mounts.items() if source in sources} == who
