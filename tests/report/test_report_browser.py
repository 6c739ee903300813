"""The page in a real browser, which can reach nothing: it draws itself, and asks for nothing."""

import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_texts import TEXTS
from page_parts import Page
from story import story

from operator_demo.chain import Chain
from operator_demo.report.digest import digest
from operator_demo.report.page import run_page
from operator_demo.report.source import Recorded

pytestmark = pytest.mark.wide
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--disable-default-apps", "--disable-domain-reliability")


OWN = ("google.com", "googleapis.com", "gvt1.com", "gstatic.com")  # hosts that the browser asks of its own accord


class Proxy:
    """The only way out that the browser knows; it answers nothing and remembers the first line of each request."""

    def __init__(self) -> None:
        asked = self.asked = []  # type: list[str]

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline(1000).decode("latin-1").strip()
                if not any(host in line for host in OWN):
                    asked.append(line)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.server.shutdown()
    made.server.server_close()


def drawn(html: str, folder: Path, proxy: Proxy) -> str:
    """The document as it is after its scripts ran."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"there is no browser: {', '.join(BROWSERS)}")
    page = folder / "page.html"
    page.write_text(html, encoding="utf-8")
    address = f"127.0.0.1:{proxy.server.server_address[1]}"
    done = subprocess.run([browser, *QUIET, f"--user-data-dir={folder / 'profile'}", f"--proxy-server={address}",
                           "--proxy-bypass-list=<-loopback>", "--virtual-time-budget=4000", "--dump-dom",
                           page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def test_the_proxy_would_see_a_request(tmp_path: Path, proxy: Proxy) -> None:
    drawn("<!doctype html><img src='http://127.0.0.1:8099/asked'>", tmp_path, proxy)
    assert any("/asked" in line for line in proxy.asked)


def test_a_page_of_hostile_texts_draws_itself_and_asks_for_nothing(tmp_path: Path, proxy: Proxy) -> None:
    durable = [e for e in story() if e.seq is not None]
    told = digest(Recorded(Chain("run-7k3mq2px", 0, 1, b"\x11" * 32), durable), [])
    steps = [entry for entry in told["story"] if entry["kind"] == "step"]
    texts = [hostile.text(2000) for hostile in TEXTS]
    told["verdict"]["words"] = "\n".join(texts)
    told["story"][0]["lines"] = [[text, text] for text in texts]
    told["axis"]["lanes"][0]["name"] = texts[0]
    told["compare"] = {"id": texts[1], "agent": texts[2], "words": texts[3], "tone": texts[4], "axis": told["axis"],
                       "rows": [[text, text, ""] for text in texts]}
    for field in ("why", "command", "output"):
        steps[0][field] = "\n".join(texts)
    dom = Page(drawn(run_page(told), tmp_path, proxy))
    assert proxy.asked == []
    looks = [str(attributes.get("class", "")).split() for _, attributes in dom.tags]
    assert sum("entry" in classes for classes in looks) == len(told["story"])
    assert sum("fact" in classes for classes in looks) == len(told["facts"])
    tags = [tag for tag, _ in dom.tags]
    assert tags.count("canvas") == 2
    assert not {"img", "iframe", "object", "embed", "form", "svg"} & set(tags)
    assert tags.count("script") == 5
    assert not [name for _, attributes in dom.tags for name in attributes if name.startswith("on")]
