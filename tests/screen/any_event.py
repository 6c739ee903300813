"""Any valid event, with anything in it: texts of every kind in each field, as far as its type lets them."""

import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from operator_demo import events
from operator_demo.events import Event, Payload
from operator_demo.fields import MAX_FLOAT, MAX_INT, JsonObject

NASTY = ("[bold red]markup[/]", "[/]", "[link=http://x]", "\x1b[2J\x1b[31m", "\x1b]0;title\x07", "\u202egnp.exe",
         "\x9b31m", "a\tb", "\r\n\x00", "é世界\N{PILE OF POO}", "x" * 300, "$ {0} {}", "%s", "\ud800")
texts = st.one_of(st.text(max_size=30), st.sampled_from(NASTY),
                  st.sampled_from(["etcd1", "passed", "ok", "thinking", "claude", "final", "injected",
                                   "output", "fault"]))
numbers = st.floats(-MAX_FLOAT, MAX_FLOAT)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-MAX_INT, MAX_INT), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)), max_leaves=6)
stamps = st.one_of(st.integers(0, 4).map(lambda n: f"2026-03-14T09:00:0{n}.000000Z"),
                   st.sampled_from(["2000-01-01T00:00:00.000000Z", "2199-12-28T23:59:59.999999Z"]))


def json_of(hint: Any) -> st.SearchStrategy[Any]:
    """JSON values that a field with this annotation takes."""
    arguments = get_args(hint)
    if hint == JsonObject:
        return st.dictionaries(texts, json_values, max_size=3)
    if get_origin(hint) in (Union, types.UnionType):
        return st.none() | json_of(arguments[0])
    if get_origin(hint) is tuple:
        return st.lists(json_of(arguments[0]), max_size=3)
    if get_origin(hint) is dict:
        return st.dictionaries(st.sampled_from(["etcd1", "etcd2", "[b]"]), json_of(arguments[1]), max_size=3)
    if is_dataclass(hint):
        return object_of(hint)
    return {str: texts, int: st.integers(-MAX_INT, MAX_INT), float: numbers, bool: st.booleans()}[hint]


def object_of(cls: Any) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects of a dataclass; fields with a default may be left out."""
    hints = get_type_hints(cls)
    required, optional = {}, {}
    for f in fields(cls):
        has_default = f.default is not MISSING or f.default_factory is not MISSING
        (optional if has_default else required)[f.name] = json_of(hints[f.name])
    return st.fixed_dictionaries(required, optional=optional)


@st.composite
def any_event(draw: st.DrawFn, kind: type[Payload] | None = None) -> Event:
    """Of this type, or of any."""
    kind = kind or draw(st.sampled_from(sorted(events.TYPES.values(), key=lambda t: t.type)))
    ids = st.one_of(st.none(), st.sampled_from(["tkt-aaaaaaaa", "ses-aaaaaaaa"]))
    event = Event("run-aaaaaaaa", draw(st.sampled_from(kind.owners)), kind.type, draw(object_of(kind)),
                  None if kind.ephemeral else draw(st.integers(1, 50)), draw(stamps), draw(ids), draw(ids))
    return events.checked(event)
