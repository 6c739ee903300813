"""A page, taken apart by a parser as a browser would."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

SCRIPTS_OF_A_RUN, STYLES_OF_A_RUN = 4, 2


class Page(HTMLParser):
    """`data` is the JSON inside, `scripts` and `styles` the texts of the elements, `tags` all that were opened."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.title = ""
        self.data: Any = None
        self._open: tuple[str, dict[str, str | None]] = ("", {})
        self.feed(html)
        self.close()

    @property
    def policy(self) -> str:
        return next(str(attributes["content"]) for tag, attributes in self.tags
                    if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = (tag, dict(attrs))
        self.tags.append(self._open)

    def handle_endtag(self, tag: str) -> None:
        self._open = ("", {})

    def handle_data(self, data: str) -> None:
        match self._open:
            case "script", {"type": "application/json"}:
                self.data = json.loads(data)
            case "script", _:
                self.scripts.append(data)
            case "style", _:
                self.styles.append(data)
            case "title", _:
                self.title += data


def source(text: str) -> str:
    """How a policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def addresses(text: str) -> set[str]:
    return set(re.findall(r"https?://[^\s\"'<>)]+", text))
