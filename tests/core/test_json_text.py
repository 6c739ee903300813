import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.json_text import to_json

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


@given(JSON)
def test_it_is_what_the_standard_library_writes(value: object) -> None:
    assert to_json(value) == json.dumps(value, separators=(",", ":"))


def test_what_json_cannot_hold() -> None:
    with pytest.raises(TypeError, match="bytes is no JSON"):
        to_json({"a": b""})
