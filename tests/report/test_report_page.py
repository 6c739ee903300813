"""The page of a run: whole in itself, allowed to fetch nothing, and made of no markup from outside."""

from typing import Any

import pytest
from any_event import any_event
from hostile_texts import TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st
from page_parts import SCRIPTS_OF_A_RUN, STYLES_OF_A_RUN, Page, addresses, source
from story import story

from operator_demo.chain import Chain
from operator_demo.events import Event
from operator_demo.report.digest import digest
from operator_demo.report.page import as_json, run_page
from operator_demo.report.postmortem import postmortem
from operator_demo.report.source import Recorded

ENDS = st.sampled_from(["</script>", "</SCRIPT >", "<!--", "<script>", "-->", "]]>", "</title>", "\u2028", '"', "\\",
                        "&lt;", "<img src=x onerror=alert(1)>"])
TEXT = st.lists(st.text(max_size=12) | ENDS, max_size=6).map("".join)


def recorded(many: list[Event]) -> Recorded:
    return Recorded(Chain("run-7k3mq2px", 0, len(many), b"\x11" * 32), [e for e in many if e.seq is not None])


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return digest(recorded(story()), [])


@given(TEXT)
def test_no_text_ends_the_element_of_the_data_or_opens_another(text: str) -> None:
    page = Page(f'<script id="data" type="application/json">{as_json({text: [text]})}</script><p>after</p>')
    assert page.data == {text: [text]}
    assert [tag for tag, _ in page.tags] == ["script", "p"]


@given(TEXT)
@settings(max_examples=25)
def test_no_text_adds_an_element_to_the_page(text: str) -> None:
    told = digest(recorded(story()), [])
    told["verdict"]["words"] = told["run"]["scenario"] = text
    told["story"][0]["lines"] = [[text, text]]
    page = Page(run_page(told))
    assert page.data == told
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == SCRIPTS_OF_A_RUN + 1  # that of the data
    assert tags.count("style") == STYLES_OF_A_RUN
    assert set(tags) == {"html", "head", "meta", "title", "link", "style", "body", "noscript", "main", "script"}


@pytest.mark.parametrize("hostile", TEXTS, ids=str)
def test_hostile_texts_stay_data(hostile: Any, told: dict[str, Any]) -> None:
    text = hostile.text(4000)
    page = Page(run_page({**told, "verdict": {**told["verdict"], "words": text, "promise": text}}))
    assert len([tag for tag, _ in page.tags if tag == "script"]) == SCRIPTS_OF_A_RUN + 1
    assert page.data["verdict"]["promise"] == text


def test_the_policy_names_each_script_and_style_and_allows_no_request(told: dict[str, Any]) -> None:
    page = Page(run_page(told))
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    assert rules == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
                     "script-src": " ".join(map(source, page.scripts)),
                     "style-src": " ".join(map(source, page.styles))}
    assert len(page.scripts) == SCRIPTS_OF_A_RUN


def test_nothing_in_the_page_names_an_address_but_the_library_of_its_origin(told: dict[str, Any]) -> None:
    assert addresses(run_page({**told, "story": []})) == {"https://github.com/leeoniya/uPlot"}
    attributes = [name for _, found in Page(run_page(told)).tags for name in found]
    assert not {"src", "action", "onclick", "style"} & set(attributes)


def test_our_scripts_write_text_only(told: dict[str, Any]) -> None:
    _, *ours = Page(run_page(told)).scripts
    for script in ours:
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(",
                          "XMLHttpRequest", "localStorage", "window.open", "new Function"):
            assert forbidden not in script


def test_a_usual_run_stays_far_below_a_megabyte(told: dict[str, Any]) -> None:
    assert len(run_page(told).encode()) < 300_000


@given(st.lists(any_event(), max_size=12), st.lists(any_event(), max_size=4))
@settings(max_examples=25)
def test_any_events_make_a_page_and_a_post_mortem(many: list[Event], others: list[Event]) -> None:
    told = digest(recorded(sorted(many, key=lambda e: e.ts)), [], recorded(sorted(others, key=lambda e: e.ts)))
    assert Page(run_page(told)).data == told
    assert postmortem(told).startswith("# Post-mortem")
