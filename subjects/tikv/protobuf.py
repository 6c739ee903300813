"""The wire format of Protocol Buffers: as much of it as the messages of `raw` need.

The `protobuf` package is not used: it needs modules that protoc generates, or descriptors built at run time, and its
fast versions are compiled. The format that both sides agree on is six wire types, of which these messages use two
(https://protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Union

Value = Union[int, bytes, "Fields", Sequence["Fields"]]
Fields = Mapping[int, Value]
"""A message to be sent, by number of the field: a number, bytes, a message, or a list of messages."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST = 10  # bytes of a number


class Malformed(ValueError):
    """These bytes are no message."""


def encode(fields: Fields) -> bytes:
    """Zeros and empty bytes are left out, as the format asks. Numbers are from 0 to 2**64 - 1."""
    raw = bytearray()
    for number, value in fields.items():
        if isinstance(value, int):
            if value:
                raw += _varint(number << 3 | _VARINT) + _varint(value)
        elif isinstance(value, bytes):
            if value:
                raw += _delimited(number, value)
        elif isinstance(value, Mapping):
            raw += _delimited(number, encode(value))
        else:
            for message in value:
                raw += _delimited(number, encode(message))
    return bytes(raw)


class Message:
    """A message that was received. What it does not hold is zero, empty, or an empty message."""

    def __init__(self, raw: bytes) -> None:
        """Raises `Malformed`."""
        self._numbers: dict[int, int] = {}
        self._bytes: dict[int, list[bytes]] = {}
        for field, value in _fields(raw):
            if isinstance(value, int):
                self._numbers[field] = value  # of several, the last counts
            else:
                self._bytes.setdefault(field, []).append(value)

    def has(self, field: int) -> bool:
        return field in self._numbers or field in self._bytes

    def number(self, field: int) -> int:
        return self._numbers.get(field, 0)

    def bytes(self, field: int) -> bytes:
        return self._bytes.get(field, [b""])[-1]

    def message(self, field: int) -> "Message":
        """Parts of one message may come separately; together they are the whole."""
        return Message(b"".join(self._bytes.get(field, [])))

    def messages(self, field: int) -> list["Message"]:
        return [Message(raw) for raw in self._bytes.get(field, [])]


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields in the order in which they came; those of fixed size, which no message here has, are skipped."""
    at = 0
    while at < len(raw):
        tag, at = _read_varint(raw, at)
        field, wire_type = tag >> 3, tag & 7
        if not field:
            raise Malformed("a field has the number 0")
        if wire_type == _VARINT:
            value, at = _read_varint(raw, at)
            yield field, value
        elif wire_type == _BYTES:
            size, at = _read_varint(raw, at)
            at = _skip(raw, at, size)
            yield field, raw[at - size:at]
        elif wire_type in (_FIXED64, _FIXED32):
            at = _skip(raw, at, 8 if wire_type == _FIXED64 else 4)
        else:
            raise Malformed(f"there is no wire type {wire_type}")


def _skip(raw: bytes, at: int, size: int) -> int:
    if at + size > len(raw):
        raise Malformed("the message is cut off")
    return at + size


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    """The number at this place, and the place behind it. Seven bits a byte, the lowest first."""
    value = 0
    for n in range(_LONGEST):
        if at + n >= len(raw):
            raise Malformed("the message is cut off")
        value |= (raw[at + n] & 0x7F) << (7 * n)
        if raw[at + n] < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + n + 1
    raise Malformed("a number is too long")


def _varint(value: int) -> bytes:
    raw = bytearray()
    while value >= 0x80:
        raw.append(value & 0x7F | 0x80)
        value >>= 7
    raw.append(value)
    return bytes(raw)


def _delimited(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(value)) + value
