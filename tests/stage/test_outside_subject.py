"""A subject's folder from outside goes into the monitor and the load, and not into the agent."""

from importlib.resources import files
from pathlib import Path

import pytest

from operator_demo.compose import Project, load_project, with_folder
from operator_demo.errors import UsageError

TARGET = "/opt/operator/subjects/mine"
ENV = {"OPERATOR_IMAGE": "operator-demo/agent:x", "OPERATOR_NETWORK": "n", "OPERATOR_RUN": "run-1",
       "OPERATOR_SUBJECT": TARGET, "OPERATOR_PROJECT": "demo-mine", "OPERATOR_BRAIN": "rehearsal",
       "OPERATOR_MODEL": "rehearsal", "OPERATOR_API_KEY": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "kill.yaml").write_text("title: t\n")
    (tmp_path / "subject.py").write_text("SUBJECT = None\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("secret\n")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "subject.pyc").write_text("old\n")
    return tmp_path


def project() -> Project:
    return load_project(files("compose_templates"), "agent.compose.yaml", project="demo-mine-operator", env=ENV,
                             profiles=["execute"])


def test_only_observers_get_it(folder: Path) -> None:
    placed = with_folder(project(), ("monitor", "workload"), folder, TARGET).services
    names = {name: sorted(p.target for p in service.configs) for name, service in placed.items()}
    whole = [f"{TARGET}/scenarios/kill.yaml", f"{TARGET}/subject.py"]
    assert names == {"monitor": whole, "workload": whole, "guard": [], "network": [], "agent": []}
    assert {(p.uid, p.mode) for p in placed["monitor"].configs} == {(0, 0o600)}


def test_a_folder_that_is_too_large_is_refused(folder: Path) -> None:
    with (folder / "data.bin").open("wb") as file:
        file.truncate(9 * 1024 * 1024)
    with pytest.raises(UsageError, match="at most 8 MB"):
        with_folder(project(), ("monitor",), folder, TARGET)
