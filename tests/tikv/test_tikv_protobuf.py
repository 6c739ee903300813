"""The wire format of Protocol Buffers, in any order of the fields and for any bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subjects.tikv.protobuf import Malformed, Message, encode

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "recorded" / "wire.json").read_text())

numbers = st.integers(1, 2 ** 64 - 1)
texts = st.binary(min_size=1, max_size=40)
fields = st.integers(1, 2 ** 29 - 1)
flat = st.dictionaries(fields, numbers | texts, max_size=6)
nested = st.recursive(flat, lambda inner: st.dictionaries(fields, numbers | texts | inner, max_size=4), max_leaves=8)


def agrees(message: Message, expected: dict[int, Any]) -> None:
    for field, value in expected.items():
        assert message.has(field)
        if isinstance(value, int):
            assert message.number(field) == value
        elif isinstance(value, bytes):
            assert message.bytes(field) == value
        else:
            agrees(message.message(field), value)


@given(nested)
def test_what_is_encoded_is_read_back(expected: dict[int, Any]) -> None:
    agrees(Message(encode(expected)), expected)


@given(flat, st.randoms())
def test_the_order_of_the_fields_does_not_matter(expected: dict[int, Any], random: Any) -> None:
    parts = [encode({field: value}) for field, value in expected.items()]
    random.shuffle(parts)
    agrees(Message(b"".join(parts)), expected)


@given(flat, flat, fields)
def test_parts_of_one_message_are_one_message(first: dict[int, Any], second: dict[int, Any], field: int) -> None:
    raw = encode({field: first}) + encode({field: second})
    agrees(Message(raw).message(field), second)
    assert len(Message(raw).messages(field)) == 2


@given(flat, st.sampled_from([1, 5]), fields)
def test_fields_of_fixed_size_are_skipped(expected: dict[int, Any], wire_type: int, field: int) -> None:
    tag = bytearray()
    value = field << 3 | wire_type
    while value >= 0x80:
        tag.append(value & 0x7F | 0x80)
        value >>= 7
    tag.append(value)
    agrees(Message(bytes(tag) + b"x" * (8 if wire_type == 1 else 4) + encode(expected)), expected)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_malformed(raw: bytes) -> None:
    try:
        Message(raw)
    except Malformed:
        pass


@given(flat.filter(bool))
def test_what_is_cut_off_is_malformed_or_lacks_fields(expected: dict[int, Any]) -> None:
    raw = encode(expected)
    for end in range(len(raw)):
        try:
            message = Message(raw[:end])
        except Malformed:
            continue
        assert sum(message.has(field) for field in expected) < len(expected)


def test_zeros_and_empty_bytes_are_left_out_and_lists_are_not() -> None:
    assert encode({1: 0, 2: b"", 3: {}, 4: [{1: 0}, {1: 1}]}) == bytes.fromhex("1a00" + "2200" + "22020801")
    assert not Message(b"").has(1)
    assert (Message(b"").number(1), Message(b"").bytes(1), Message(b"").message(1).number(2)) == (0, b"", 0)


@pytest.mark.parametrize("raw", [b"\x00", b"\x08", b"\x0a\x05ab", b"\x0b", b"\x08" + b"\xff" * 10, b"\x09abc"])
def test_what_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        Message(raw)


@pytest.mark.parametrize("call", RECORDED, ids=lambda c: c["what"])
def test_all_that_was_recorded_can_be_read(call: dict[str, Any]) -> None:
    context = Message(bytes.fromhex(call["request"])).message(1)
    assert context.number(1) > 0
    assert context.message(2).number(1) > 0
    Message(bytes.fromhex(call["response"]))


def response(what: str) -> Message:
    return Message(bytes.fromhex(next(c["response"] for c in RECORDED if c["what"] == what)))


def test_recorded_answers_of_methods_that_are_not_used() -> None:
    swapped = response("compare and swap, done")
    assert (swapped.number(3), swapped.number(4), swapped.bytes(5)) == (1, 0, b"1")
    refused = response("compare and swap, refused")
    assert (refused.has(3), refused.bytes(5)) == (False, b"1")
    pairs = [(kv.bytes(2), kv.bytes(3)) for kv in response("scan of ten").messages(2)]
    assert pairs == [(b"zz-cas2", b"2"), (b"zz-empty", b""), (b"zz-rec", b"value-1")]
