import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_shows_the_catalogue_as_it_is() -> None:
    page = runpy.run_path(str(ROOT / "tools/events_page.py"))["page"]()
    assert (ROOT / "docs/events.md").read_text() == page, "run: python tools/events_page.py > docs/events.md"
