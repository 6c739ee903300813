"""Text from outside neither formats a post-mortem nor loads anything."""

import re

from hypothesis import given
from hypothesis import strategies as st

from operator_demo.report.postmortem import _code, _plain

PIECES = ["`", "``", "![x](http://x)", "<img src=x>", "|", "\n", "# ", "*a*", "a", "\\", "~~~", "[", "&lt;"]
MARKUP = st.lists(st.sampled_from(PIECES), max_size=10).map("".join)


@given(MARKUP)
def test_plain_text_has_no_special_character_without_its_escape(text: str) -> None:
    shown = _plain(text)
    assert not re.sub(r"\\.", "", shown) or not re.search(r"[`*_\[\]<>|!#~&]", re.sub(r"\\.", "", shown))
    assert "\n" not in shown
    assert re.sub(r"\\(.)", r"\1", shown) == " ".join(text.split())


@given(MARKUP)
def test_code_does_not_end_early(text: str) -> None:
    span = _code(text)
    fence = re.match("`+", span).group()  # type: ignore[union-attr]
    inside = span[len(fence):-len(fence)]
    assert span.endswith(fence) and "\n" not in span
    assert fence not in re.findall("`+", inside)
    assert inside.strip() == " ".join(text.split()).strip()
