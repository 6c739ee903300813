import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_of_endpoints_shows_the_policy_as_it_is() -> None:
    page = runpy.run_path(str(ROOT / "tools/security_page.py"))["page"]()

    assert (ROOT / "docs/security.md").read_text() == page, "run: python tools/security_page.py"
    assert page.count("| `POST /containers/NAME/exec` |") == 1
