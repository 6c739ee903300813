"""Somebody's Compose file, with nothing beside it, is shown, broken, repaired and verified."""

from pathlib import Path

import docker
import pytest
from presenter import Demo

pytestmark = pytest.mark.e2e
SHOP = Path(__file__).parent / "shop"


def test_it_is_repaired_and_verified(tmp_path: Path, engine: docker.DockerClient) -> None:
    before = {file: file.read_bytes() for file in SHOP.iterdir()}
    with Demo.performed(tmp_path / "home", engine, subject=str(SHOP / "docker-compose.yml")) as demo:
        result = demo.run("--seed", "7")
        assert (result.status, result.outcome) == (0, "repaired"), result.story
        assert result.last("monitor_started")["members"] == ["web", "app", "cache"]
        checks = {c["name"]: c["status"] for c in result.verdict()["checks"]}
        assert [checks[name] for name in ("invariants", "redundancy", "fingerprint")] == ["passed"] * 3
        assert checks["data_plane"] == checks["agreement"] == checks["writes"] == "not_checked"
        assert demo.leftovers() == []
    assert {file: file.read_bytes() for file in SHOP.iterdir()} == before
