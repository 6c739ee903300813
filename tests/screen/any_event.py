"""Any valid event, with anything in it: the contract says which fields there are, not what they hold."""

from hypothesis import strategies as st

from operator_demo import events
from operator_demo.events import Event

NASTY = ("[bold red]markup[/]", "[/]", "[link=http://x]", "\x1b[2J\x1b[31m", "\x1b]0;title\x07", "\u202egnp.exe",
         "\x9b31m", "a\tb", "\r\n\x00", "é世界\N{PILE OF POO}", "x" * 300, "$ {0} {}", "%s", "\ud800")
texts = st.one_of(st.text(max_size=30), st.sampled_from(NASTY),
                  st.sampled_from(["etcd1", "passed", "ok", "thinking", "claude", "final", "injected",
                                   "output", "fault"]))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)), max_leaves=6)
members = st.dictionaries(st.sampled_from(["etcd1", "etcd2", "[b]"]), st.one_of(json_values, st.fixed_dictionaries(
    {}, optional={"state": texts, "healthy": st.booleans() | texts, "leader": st.booleans(), "error": json_values,
                  "index": json_values, "db_size": json_values, "read_latency": json_values,
                  "alarms": json_values})), max_size=3)
checks = st.lists(st.one_of(json_values, st.fixed_dictionaries({"name": texts, "status": texts, "saw": json_values})),
                  max_size=3)
LIKELY = {"members": members, "checks": checks, "violations": checks, "errors": st.dictionaries(texts, json_values)}
EXTRA = ("call", "exit_code", "duration", "time", "ttd", "ttm", "current", "total", "holder", "violations", "proposal")
stamps = st.one_of(texts, st.integers(0, 4).map(lambda n: f"2026-03-14T09:00:0{n}.000000Z"),
                   st.sampled_from(["0001-01-01", "9999-12-31T23:59:59+00:00", "2026-03-14T09:00:00"]))


@st.composite
def any_event(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(sorted(events.TYPES.values(), key=lambda t: t.name)))
    data = {name: draw(st.one_of(json_values, LIKELY.get(name, texts))) for name in kind.fields}
    for name in draw(st.lists(st.sampled_from(EXTRA), max_size=2)):
        data[name] = draw(json_values)
    ids = st.one_of(st.none(), st.sampled_from(["tkt-aaaaaaaa", "ses-aaaaaaaa"]), texts)
    made = Event("run-aaaaaaaa", draw(st.sampled_from(kind.owners)), kind.name, data,
                 None if kind.ephemeral else draw(st.integers(1, 50)), draw(stamps), draw(ids), draw(ids))
    events.check(made)
    return made
