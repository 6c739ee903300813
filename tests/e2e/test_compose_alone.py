"""Somebody's Compose file is shown, broken, repaired and verified: with nothing beside it, and with subject.yaml."""

import shutil
from pathlib import Path

import docker
import pytest
from presenter import Demo

pytestmark = pytest.mark.e2e
SHOP = Path(__file__).parent / "shop"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHOP, tmp_path / "shop"))


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.wide
def test_a_compose_file_alone(shop: Path, engine: docker.DockerClient) -> None:
    (shop / "subject.yaml").unlink()
    before = content(shop)
    with Demo.performed(shop.parent / "home", engine, subject=str(shop / "docker-compose.yml")) as demo:
        result = demo.run("--seed", "7")
        assert (result.status, result.outcome) == (0, "repaired"), result.story
        assert result.last("monitor_started")["members"] == ["web", "app", "cache"]
        checks = {c["name"]: c["status"] for c in result.verdict()["checks"]}
        assert [checks[name] for name in ("invariants", "redundancy", "fingerprint")] == ["passed"] * 3
        assert checks["data_plane"] == checks["agreement"] == checks["writes"] == "not_checked"
        assert demo.leftovers() == []
    assert content(shop) == before


def test_with_what_subject_yaml_says(shop: Path, engine: docker.DockerClient) -> None:
    with Demo.performed(shop.parent / "home", engine, subject=str(shop)) as demo:
        (shop / "scenarios").mkdir()
        (shop / "scenarios" / "web-frozen.yaml").write_text(
            "title: The page is frozen\ncause: process_frozen\nfault: {kind: pause, target: web}\n"
            "invariants: [member_down]\n")
        result = demo.run("--scenario", "web-frozen")
        assert (result.status, result.outcome) == (0, "repaired"), result.story
        checks = {c["name"]: c["status"] for c in result.verdict()["checks"]}
        assert checks["data_plane"] == checks["agreement"] == "passed", result.verdict()
        assert not [e for e in result.of("effect") if e["data"]["explained"] is None], result.story
        assert not result.of("contradiction")
