"""Work side by side, in threads that do not keep the process alive while the engine does not answer."""

import threading
from collections.abc import Callable
from concurrent.futures import Future


def start(name: str, work: Callable[..., None], *arguments: object) -> Future[None]:
    """As the `submit` of an executor, whose threads would be waited for when the process ends."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            work(*arguments)
        except BaseException as e:
            future.set_exception(e)
        else:
            future.set_result(None)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
