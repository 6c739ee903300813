"""Writes the table of endpoints in docs/security.md anew, from the guard's policy:
`PYTHONPATH=. python tools/security_page.py`."""

from pathlib import Path

from operator_demo.guard.endpoints import ENDPOINTS, NAME, Endpoint
from operator_demo.guard.world import Standing

PAGE = Path(__file__).parents[1] / "docs" / "security.md"
BEGIN, END = "<!-- endpoints: made by tools/security_page.py -->", "<!-- end of endpoints -->"
HEAD = """
| request | for | agent | monitor |
| --- | --- | --- | --- |
"""
_WORDS = {Standing.SUBJECT: "subject", Standing.ONE_SHOT: "one-shot", Standing.NEIGHBOUR: "neighbour",
          Standing.OURS: "ours"}
_WITHOUT_OBJECT = {"_ping", "version", "info"}


def page() -> str:
    """The page with the table as the policy is now."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def table() -> str:
    return HEAD + "".join(row(endpoint) for endpoint in ENDPOINTS)


def row(endpoint: Endpoint) -> str:
    path = "/".join("NAME" if part == NAME else part for part in endpoint.path)
    does = endpoint.does + (" **(destructive)**" if endpoint.destructive else "")
    agent, monitor = who(endpoint, endpoint.agent), who(endpoint, endpoint.monitor)
    return f"| `{endpoint.method} /{path}` | {does} | {agent} | {monitor} |\n"


def who(endpoint: Endpoint, standings: frozenset[Standing]) -> str:
    if not standings:
        return "no"
    if endpoint.path[0] in _WITHOUT_OBJECT:
        return "yes"
    return ", ".join(word for standing, word in _WORDS.items() if standing in standings)


if __name__ == "__main__":
    PAGE.write_text(page())
