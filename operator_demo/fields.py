"""Typed fields out of JSON: a frozen dataclass is the description, its annotations are the checks. A default is a value
(no `default_factory`), and nothing happens in `__post_init__`.

Supported annotations: `str` (one line), `Text` (lines), `int`, `float`, `bool`, `X | None`, `tuple[X, ...]`,
`dict[str, X]`, `JsonObject`, and dataclasses again. Text comes out harmless and bounded, so nobody who reads a field
has to think of what it may hold: lines (`Text`) are cleaned; in names and in JSON, where nothing may be hidden, control
characters are escaped. Numbers are bounded, whole ones fit into 64 bits.
"""

import functools
import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from operator_demo.text import clean, escape

Text = Annotated[str, "several lines"]
JsonObject = dict[str, Any]

MAX_LINE_TEXT = 1000  # characters of a one-line text; what is longer is cut
MAX_TEXT = 1_000_000  # characters of a text with lines
MAX_INT = 2**63 - 1  # what SQLite holds
MAX_FLOAT = 1e15  # more than any time or size; what is computed of it stays finite
MAX_DEPTH = 20  # of a JSON object

T = TypeVar("T", bound=Hashable)
_set = object.__setattr__  # what is frozen is filled so; a default is the class's
_Convert = Callable[[Any], Any]


class FieldError(ValueError):
    """A field is missing or holds something else than its type; the message begins with the field's path."""


def decode(cls: type[T], values: Mapping[str, Any]) -> T:
    """An instance of the dataclass `cls`. Fields that it does not know are passed over. Raises `FieldError`."""
    made = cls.__new__(cls)
    for name, convert, required in _plan(cls):
        if name in values:
            try:
                _set(made, name, convert(values[name]))
            except FieldError as e:
                raise FieldError(f"{name}{e}") from None
        elif required:
            raise FieldError(f"{name} is missing")
    return made


def encode(value: Any) -> Any:
    """The JSON value of a dataclass, field by field; what holds its default is left out."""
    if is_dataclass(value):
        return {f.name: encode(getattr(value, f.name)) for f in fields(value)
                if getattr(value, f.name) != f.default}
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


@functools.cache
def _plan(cls: type) -> tuple[tuple[str, _Convert, bool], ...]:
    """(name, converter, required) of each field, worked out once for each class."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple((f.name, _converter(hints[f.name]), f.default is MISSING) for f in fields(cls))


def _converter(hint: Any) -> _Convert:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint == Text:
        return _text
    if hint in _PLAIN:
        return _PLAIN[hint]
    if hint == JsonObject:
        return _json_object
    if origin in (Union, types.UnionType):
        inner = _converter(next(a for a in arguments if a is not type(None)))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        return functools.partial(_sequence, _converter(arguments[0]))
    if origin is dict:
        return functools.partial(_mapping, _converter(arguments[1]))
    if isinstance(hint, type) and is_dataclass(hint):
        return functools.partial(_nested, hint)
    raise TypeError(f"no converter for {hint}")


def _line(value: Any) -> str:
    if type(value) is not str:
        raise FieldError(" must be text")
    if len(value) <= MAX_LINE_TEXT and _is_plain(value):
        return value
    whole = " ".join(escape(value[:4 * MAX_LINE_TEXT]).split())
    return whole if len(whole) <= MAX_LINE_TEXT else whole[:MAX_LINE_TEXT - 1] + "…"


def _text(value: Any) -> str:
    if type(value) is not str:
        raise FieldError(" must be text")
    return value if _is_plain(value) and len(value) <= MAX_TEXT else clean(value[:MAX_TEXT])


def _is_plain(value: str) -> bool:
    """Some invisible characters count as printable, so what is not ASCII is always looked at."""
    return value.isascii() and value.isprintable()


def _int(value: Any) -> int:
    if type(value) is not int or not -MAX_INT <= value <= MAX_INT:
        raise FieldError(" must be a whole number of at most 64 bits")
    return value


def _float(value: Any) -> float:
    if type(value) in (float, int) and -MAX_FLOAT <= value <= MAX_FLOAT:
        return float(value)
    raise FieldError(f" must be a number of at most {MAX_FLOAT:g}")


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        raise FieldError(" must be true or false")
    return value


_PLAIN: dict[Any, _Convert] = {str: _line, int: _int, float: _float, bool: _bool}


def _sequence(convert: _Convert, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise FieldError(" must be a list")
    return tuple(_at(f"[{n}]", convert, item) for n, item in enumerate(value))


def _mapping(convert: _Convert, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FieldError(" must be an object")
    return {_line(key): _at(f".{_line(key)}", convert, item) for key, item in value.items()}


def _nested(cls: type, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise FieldError(" must be an object")
    try:
        return decode(cls, value)
    except FieldError as e:
        raise FieldError(f".{e}") from None


def _json_object(value: Any) -> JsonObject:
    if not isinstance(value, Mapping):
        raise FieldError(" must be an object")
    return {_line(key): _json(item, 1) for key, item in value.items()}


def _json(value: Any, depth: int) -> Any:
    """Any JSON value, with harmless texts and finite numbers."""
    if depth > MAX_DEPTH:
        raise FieldError(f" is nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():
            return value if _is_plain(value) and len(value) <= MAX_TEXT else escape(value[:MAX_TEXT])
        case bool() | None:
            return value
        case int():
            return _int(value)
        case float():
            return _float(value)
        case Mapping():
            return {_line(key): _json(item, depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [_json(item, depth + 1) for item in value]
    raise FieldError(" holds what JSON cannot")


def _at(place: str, convert: _Convert, item: Any) -> Any:
    try:
        return convert(item)
    except FieldError as e:
        raise FieldError(f"{place}{e}") from None
