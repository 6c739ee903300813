"""The opened envelope in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.phrases import listed, opened


@pytest.mark.parametrize(("truth", "words"), [
    ({"fault": "kill", "targets": ["etcd1"]}, "It was the kill of etcd1"),
    ({"fault": "kill", "targets": ["a", "b", "c"]}, "It was the kill of a, b and c"),
    ({"fault": "my-own", "targets": []}, "It was my own of the system"),
    ({"fault": "{0} {x", "targets": ["a"]}, "It was {0} {x of a"), ({}, "It was a fault of the system")])
def test_what_was_sealed(truth: dict[str, object], words: str) -> None:
    assert opened(truth, "e7df" * 16) == f"{words}, as sealed before: sha256 {'e7df' * 4}"


@given(st.dictionaries(st.sampled_from(["fault", "targets"]), st.one_of(st.text(), st.none(), st.lists(st.text()))))
def test_no_truth_is_too_strange(truth: dict[str, object]) -> None:
    assert opened(truth, "").startswith("It was ")


def test_a_list_in_words() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"])] == ["", "a", "a and b"]
