"""Taking a container off its network, on an engine that denies the connection at first."""

from types import SimpleNamespace
from typing import Any, cast

import docker.errors
import pytest

from operator_demo.engine import Engine, container_action
from operator_demo.errors import OperatorError


class Api:
    """Denies `denials` times that `one` is connected to `main`; its description says that it is while `connected`."""

    def __init__(self, denials: int, *, connected: bool = True) -> None:
        self.denials, self.connected, self.asked = denials, connected, 0

    def inspect_container(self, container: str) -> dict[str, Any]:
        return {"NetworkSettings": {"Networks": {"main": {}} if self.connected else {}}}

    def disconnect_container_from_network(self, container: str, network: str) -> None:
        self.asked += 1
        if self.asked <= self.denials:
            raise docker.errors.APIError(f"container {container} is not connected to network {network}")


def disconnect(api: Api) -> None:
    container_action(cast(Engine, SimpleNamespace(api=api)), "one", "disconnect", network="main")


def test_it_is_asked_again() -> None:
    api = Api(denials=1)
    disconnect(api)
    assert api.asked == 2


@pytest.mark.parametrize(("api", "asked"), [(Api(9), 3), (Api(9, connected=False), 1)])
def test_it_is_not_asked_for_ever_nor_for_what_is_not_there(api: Api, asked: int) -> None:
    with pytest.raises(OperatorError, match="not connected"):
        disconnect(api)
    assert api.asked == asked
