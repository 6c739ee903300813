import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from story import RUN, SESSION, START, TICKET, Author, story

from operator_demo import audit as records
from operator_demo import events
from operator_demo.audit import since
from operator_demo.commands.audit import audit
from operator_demo.commands.tickets import tickets
from operator_demo.errors import OperatorError, UsageError
from operator_demo.events import Event
from operator_demo.home import home as home_folder
from operator_demo.home import store_path
from operator_demo.screen import record as view
from operator_demo.screen.terminal_text import UNICODE
from operator_demo.store import Store

Row = dict[str, Any]


def fill(many: list[Event]) -> Path:
    with Store(store_path()) as store:
        store.import_([e for e in many if e.seq is not None])
    return store_path()


def run(*arguments: str, command: Any = audit) -> Result:
    """Raises what the command raises (the program's `main` turns it into one message)."""
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False, standalone_mode=False)


def ask(*arguments: str, command: Any = audit) -> str:
    result = run(*arguments, command=command)
    assert result.exception is None, result.exception
    return str(result.stdout)


def renamed(many: list[Event], suffix: str, later: float, brain: str = "rehearsal") -> list[Event]:
    """The same run under other ids, `later` seconds after it."""
    swap = {RUN: f"run-{suffix}", SESSION: f"ses-{suffix}", TICKET: f"tkt-{suffix}"}
    made = []
    for e in many:
        ts = events.timestamp(datetime.fromtimestamp(events.parse_ts(e.ts) + later, UTC))
        data = {**e.raw, **({"brain": brain} if "brain" in e.raw else {})}
        made.append(replace(e, run=swap[RUN], ts=ts, raw=data, ticket=swap.get(e.ticket or ""),
                            session=swap.get(e.session or "")))
    return made


def digest(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_json_has_a_tool_call_as_it_may_be_shown(home: Path) -> None:
    command = "\x1b]0;$(reboot)\x07 PGPASSWORD=tr0ub4dor psql"
    author = Author()
    author.events = story()
    author._seq = dict.fromkeys(events.SOURCES, 1000)
    author.say(50, events.AGENT, "tool_call", ticket=TICKET, session=SESSION, call="toolu_x", tool="shell",
               input={"command": command}, sha256=hashlib.sha256(command.encode()).hexdigest(), length=len(command))
    fill(author.events)
    data = json.loads(ask("show", SESSION, "--json"))["entries"][-1]["data"]
    assert data["input"]["command"] == r"\x1b]0;$(reboot)\x07 PGPASSWORD=[redacted] psql"
    assert data["sha256"] == hashlib.sha256(command.encode()).hexdigest()
    assert f"what ran: {len(command)} bytes, sha256 {data['sha256']}" in ask("show", SESSION)


# -- list --------------------------------------------------------------------------------------------------------------


def test_list_shows_the_session(home: Path) -> None:
    fill(story())
    head, row = ask("list").splitlines()
    assert head.split()[:3] == ["SESSION", "RUN", "TICKET"]
    for part in (SESSION, RUN, TICKET, "etcd", "rehearsal", "verified", "passed", "24 s"):
        assert part in row, part


def test_list_is_newest_first_and_can_be_limited_and_filtered(home: Path) -> None:
    fill(story())
    fill(renamed(story(), "bbbbbbbb", 3600, "claude"))
    fill(renamed([e for e in story() if e.type != "session_finished"], "cccccccc", 60))
    rows = json.loads(ask("list", "--json"))
    assert [r["session"] for r in rows] == ["ses-bbbbbbbb", "ses-cccccccc", SESSION]
    assert [r["session"] for r in json.loads(ask("list", "--json", "--limit", "1"))] == ["ses-bbbbbbbb"]
    assert [r["session"] for r in json.loads(ask("list", "--json", "--status", "running"))] == ["ses-cccccccc"]
    assert json.loads(ask("list", "--json", "--subject", "tikv")) == []
    assert len(json.loads(ask("list", "--json", "--subject", "etcd"))) == 3


def test_list_json_has_the_documented_shape(home: Path) -> None:
    fill(story())
    (row,) = json.loads(ask("list", "--json"))
    assert row == {
        "session": SESSION, "run": RUN, "ticket": TICKET, "subject": "etcd", "scenario": None,
        "project": "demo-etcd", "brain": "rehearsal", "model": "rehearsal", "mode": "execute", "status": "verified",
        "verdict": "passed",
        "started": "2026-03-14T09:00:16.400000Z", "finished": "2026-03-14T09:00:40.300000Z", "duration": 23.9,
        "steps": 4, "tool_calls": 5,
        "tokens": {"input": 10200, "output": 560, "cache_read": 0, "cache_write": 0, "total": 10760},
        "cost_usd": 0.0, "summary": "etcd1 was killed; started it again."}


def test_list_is_filtered_and_sorted(home: Path) -> None:
    fill([replace(e, raw={**e.raw, "truth": {"scenario": "member-kill"}}) if e.type == "truth_opened" else e
          for e in story()])
    longer = [replace(e, raw={**e.raw, "model": "claude-x", "mode": "observe"}) if "model" in e.raw else e
              for e in renamed(story(), "bbbbbbbb", 3600) if e.raw.get("request_id") != "req_1"]
    fill(longer)

    def listed(*arguments: str) -> list[str]:
        return [row["session"] for row in json.loads(ask("list", "--json", *arguments))]

    assert listed("--scenario", "member-kill") == [SESSION]
    assert listed("--model", "rehearsal") == listed("--mode", "execute") == [SESSION]
    assert listed("--model", "claude-x") == listed("--mode", "observe") == ["ses-bbbbbbbb"]
    assert listed("--since", "2026-03-14T09:30:00+00:00") == ["ses-bbbbbbbb"]
    assert listed() == ["ses-bbbbbbbb", SESSION]
    assert listed("--sort", "steps") == listed("--sort", "tokens") == [SESSION, "ses-bbbbbbbb"]
    assert "member-kill" in ask("list")


@pytest.mark.parametrize(("text", "ago"), [("90m", 5400), ("12h", 43200), ("2d", 172800), ("1w", 604800)])
def test_a_time_ago(text: str, ago: float) -> None:
    assert datetime.now(UTC).timestamp() - events.parse_ts(since(text)) == pytest.approx(ago, abs=5)


@pytest.mark.parametrize("text", ["", "soon", "12", "2026-13-01", "-1d"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        since(text)


def test_an_empty_store_has_an_empty_list(home: Path) -> None:
    fill([])
    assert json.loads(ask("list", "--json")) == []
    result = run("list")
    assert result.stdout == ""
    assert "No session" in result.stderr


def test_an_unknown_cost_is_a_dash(home: Path) -> None:
    many = [replace(e, raw={**e.raw, "cost_usd": None}) if e.type == "usage" else e for e in story()]
    fill(many)
    assert ask("list").splitlines()[1].rstrip().endswith("—")
    assert "cost —" in ask("show", "last")


# -- show --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [SESSION, RUN, TICKET, "ses", "run-7", "tkt-c4vn", "last"])
def test_show_tells_all_of_it(home: Path, name: str) -> None:
    fill(story())
    said = ask("show", name)
    for part in ("REHEARSAL (rule-based, not Claude)", "mode execute", "resolved (critical): etcd1 is down",
                 "4 steps", "10760 tokens",
                 "cost $0.00", "✔ fingerprint: unchanged", "○ alarms: not checked", "thinks: The ticket says",
                 "$ docker start demo-etcd-etcd1-1", "Bring the member back", "✔ exit 0 in 0.6 s",
                 "✖ exit 6 in 0.3 s", "finding: etcd1: process killed", "engine    etcd1: die (status 137) [fault]"):
        assert part in said, part


def test_entries_stand_in_the_order_of_time(home: Path) -> None:
    fill(list(reversed(story())))
    times = [float(t) for t in re.findall(r"^ *\+([0-9.]+)s ", ask("show", RUN), re.M)]
    assert times == sorted(times)
    assert len(times) > 20


def test_an_effect_stands_under_the_call_that_caused_it(home: Path) -> None:
    fill(story())
    lines = ask("show", SESSION).splitlines()
    at = next(n for n, line in enumerate(lines) if "$ docker start" in line)
    assert [line.strip() for line in lines[at - 1:at + 4]] == [
        "+21.900s  rehearsal Bring the member back with its own data.", "$ docker start demo-etcd-etcd1-1",
        "✔ exit 0 in 0.6 s", "│ demo-etcd-etcd1-1", "engine: etcd1: start"]
    assert sum("etcd1: start" in line for line in lines) == 1


def test_a_refusal_of_the_guard_stands_under_its_call(home: Path) -> None:
    a = Author()
    a.say(21, events.GUARD, "guard", ticket=TICKET, session=SESSION, caller="agent", ruling="deny", rule="not offered",
          method="DELETE", path="/volumes/data", reason="No volume is removed.", call="toolu_4")
    fill(story() + a.events)
    for name in (SESSION, TICKET, RUN):
        lines = ask("show", name).splitlines()
        at = next(n for n, line in enumerate(lines) if "$ docker start" in line)
        assert lines[at + 1].strip() == ("guard: ⛨ refused to the agent: DELETE /volumes/data (not offered): "
                                         "No volume is removed.")


def test_an_effect_that_nobody_explains_is_marked(home: Path) -> None:
    a = Author()
    a._seq[events.MONITOR] = 900
    a.say(24, events.MONITOR, "effect", container="demo-etcd-etcd3-1", member="etcd3", action="kill", explained=None)
    fill(story() + a.events)
    for name in (SESSION, TICKET, RUN):
        assert "▲ etcd3: kill: unexplained, no tool call accounts for it" in ask("show", name)


def test_a_call_without_a_result_reads_outcome_unknown(home: Path) -> None:
    fill([e for e in story() if not (e.type == "tool_result" and e.raw["call"] == "toolu_4")])
    lines = ask("show", SESSION).splitlines()
    at = next(n for n, line in enumerate(lines) if "$ docker start" in line)
    assert "? outcome unknown" in lines[at + 1]
    assert sum("outcome unknown" in line for line in lines) == 1


def test_other_entries(home: Path) -> None:
    a = Author()
    a._seq = dict.fromkeys(events.SOURCES, 900)
    mine: Row = {"ticket": TICKET, "session": SESSION}
    a.say(23, events.AGENT, "retry", **mine, reason="overloaded", attempt=1, delay=2.5)
    a.say(23.1, events.AGENT, "refusal", **mine, reason="the budget of 4 steps is used up")
    a.say(23.2, events.AGENT, "interrupt", **mine, reason="SIGTERM", ended=["process group 41"])
    a.say(23.3, events.MONITOR, "ticket_returned", **mine, words="data plane: no write through etcd1")
    fill(story() + a.events)
    said = ask("show", "last")
    for part in ("retry 1 in 2.5 s: overloaded", "⊘ refused: the budget of 4 steps",
                 "interrupted: SIGTERM", "ended: process group 41",
                 "returned to the agent: data plane: no write through etcd1", "sent back to the agent 1 time"):
        assert part in said, part


def test_long_output_is_cut_unless_full(home: Path) -> None:
    long = "\n".join(f"line {n}" for n in range(2000))
    fill([replace(e, raw={**e.raw, "output": long}) if e.type == "tool_result" and e.raw["call"] == "toolu_2" else e
          for e in story()])
    short, full = ask("show", SESSION), ask("show", SESSION, "--full")
    assert "bytes left out" in short
    assert "line 1000\n" not in short
    assert "line 0\n" in short
    assert "line 1999\n" in short
    assert "line 1000\n" in full
    assert "bytes left out" not in full
    assert "request req_1" in full
    assert "request req_1" not in short


def test_json_in_the_output_is_laid_out(home: Path) -> None:
    flat = 'exit status 0 (0.1 s)\n{"Status": "exited", "OOMKilled": false, "Error": "' + "x" * 60 + '"}'
    fill([replace(e, raw={**e.raw, "output": flat}) if e.type == "tool_result" and e.raw["call"] == "toolu_2" else e
          for e in story()])
    lines = [line.strip() for line in ask("show", SESSION).splitlines()]
    at = lines.index("│ exit status 0 (0.1 s)")
    assert lines[at + 1:at + 4] == ["│ {", '│   "Status": "exited",', '│   "OOMKilled": false,']


@pytest.mark.parametrize("width", [60, 100])
def test_on_a_terminal_lines_are_wrapped_beside_their_gutter(home: Path, width: int) -> None:
    fill([replace(e, raw={**e.raw, "output": "word " * 100}) if e.type == "tool_result" else e for e in story()])
    with Store(store_path(), read_only=True) as store:
        record = records.record(store, "session", SESSION)
    lines = [text for text, _ in view.entries(record, UNICODE, width=width)]
    assert max(map(len, lines)) <= width
    wrapped = [line for line in lines if "word word" in line]
    assert len(wrapped) > 5 * 500 // width
    assert all(line.startswith(" " * 22 + "│ ") for line in wrapped)


@pytest.mark.parametrize(("kind", "there", "not_there"), [
    ("commands", ["$ docker start", "✔ exit 0"], ["thinks:", "finding:", "claims"]),
    ("reasoning", ["thinks:", "finding: etcd1"], ["$ docker", "claims"]),
    ("refusals", ["⊘ refused: no budget", "No volume is removed."], ["thinks:", "$ docker ps"]),
    ("effects", ["etcd1: die", "etcd1: start"], ["thinks:", "$ docker"])])
def test_one_kind_of_entries_alone(home: Path, kind: str, there: list[str], not_there: list[str]) -> None:
    a = Author()
    a._seq = dict.fromkeys(events.SOURCES, 900)
    mine: Row = {"ticket": TICKET, "session": SESSION}
    a.say(21.95, events.GUARD, "guard", **mine, caller="agent", ruling="deny", rule="r", method="DELETE", path="/v",
          reason="No volume is removed.", call="toolu_4")
    a.say(23.1, events.AGENT, "refusal", **mine, reason="no budget")
    fill(story() + a.events)
    said = ask("show", RUN, "--only", kind)
    assert [part for part in there if part not in said] == []
    assert [part for part in not_there if part in said] == []
    types = {entry["type"] for entry in json.loads(ask("show", RUN, "--only", kind, "--json"))["entries"]}
    assert types <= set(records.ONLY[kind])


def test_follow_goes_on_until_the_run_is_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = [[e for e in story() if START + 22 <= e.at < START + 30], [e for e in story() if e.at >= START + 30]]
    fill([e for e in story() if e.at < START + 22])
    monkeypatch.setattr("time.sleep", lambda seconds: fill(later.pop(0)))
    said = ask("show", RUN, "--follow")
    assert later == []
    assert said.count("outcome unknown") == 0
    _, entries, summary, _ = said.split("\n\n")
    assert "outcome   repaired" in summary
    assert sorted(entries.splitlines()) == sorted(ask("show", RUN).split("\n\n")[1].splitlines())


def test_follow_ends_at_once_where_all_is_over(home: Path) -> None:
    fill(story())
    assert ask("show", RUN, "--follow") == ask("show", RUN)
    with pytest.raises(UsageError, match="does not go with"):
        run("show", RUN, "--follow", "--json")


def test_show_json_has_the_documented_shape(home: Path) -> None:
    fill(story())
    record = json.loads(ask("show", SESSION, "--json"))
    assert list(record) == ["kind", "id", "run", "tickets", "sessions", "chain", "verdicts", "entries"]
    assert (record["kind"], record["id"]) == ("session", SESSION)
    assert record["run"]["outcome"] == "repaired"
    assert record["tickets"][0]["state"] == "resolved"
    assert [v["phase"] for v in record["verdicts"]] == ["opening", "final"]
    entry = next(e for e in record["entries"] if e["type"] == "tool_call" and e["data"]["call"] == "toolu_4")
    assert entry["outcome"]["exit_code"] == 0
    assert entry["effects"][0]["action"] == "start"
    for e in record["entries"]:
        assert set(e) - {"outcome", "effects", "guard"} == {"ts", "source", "seq", "type", "session", "ticket", "data"}


def test_a_run_without_an_agent_can_be_shown(home: Path) -> None:
    fill([e for e in story() if e.source != events.AGENT and e.session is None])
    said = ask("show", "last")
    assert said.startswith(f"run {RUN}")
    assert "none: no agent took this up" in said


def test_two_sessions_of_a_ticket_are_both_told(home: Path) -> None:
    second = [replace(e, session="ses-second00", seq=(e.seq or 0) + 500) for e in story()
              if e.type in ("session_started", "reasoning", "session_finished")]
    fill(story() + second)
    said = ask("show", TICKET)
    assert f"{SESSION}: verified" in said
    assert "ses-second00: verified" in said
    assert "ses-second00" not in ask("show", SESSION)


def test_output_never_reaches_the_terminal_raw(home: Path) -> None:
    nasty = "\x1b[2J\x1b]0;title\x07[bold]x[/]\u202eevil\x9b31m"
    fill([replace(e, raw={**e.raw, **{k: nasty for k in ("output", "text", "title", "reason") if k in e.raw}})
          for e in story()])
    for arguments in (("show", "last"), ("show", "last", "--full"), ("list",), ("show", "last", "--json")):
        said = ask(*arguments)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said)
    assert "[bold]x[/]" in ask("show", "last")
    assert not re.search("[\x00-\x08\x0b-\x1f]", ask("list", command=tickets))


# -- tickets -----------------------------------------------------------------------------------------------------------


def test_tickets_list_and_show(home: Path) -> None:
    fill(story())
    row = ask("list", command=tickets).splitlines()[1]
    for part in (TICKET, RUN, "resolved", "critical", SESSION, "etcd1 is down (exited, status 137)"):
        assert part in row, part
    assert json.loads(ask("list", "--json", "--state", "open", command=tickets)) == []
    (ticket,) = json.loads(ask("list", "--json", command=tickets))
    assert (ticket["ticket"], ticket["duration"], ticket["violations"]) == (TICKET, 24.0, [])
    assert f"ticket {TICKET} claimed by session {SESSION}" in ask("show", "last", command=tickets)
    assert json.loads(ask("show", TICKET, "--json", command=tickets))["kind"] == "ticket"


# -- what can go wrong -------------------------------------------------------------------------------------------------

EVERY = [(audit, ("list",)), (audit, ("list", "--json")), (audit, ("show", "last")), (audit, ("show", "x", "--json")),
         (tickets, ("list",)), (tickets, ("show", "last"))]


@pytest.mark.parametrize("name", ["nope", "ses-zzz", "%", "_", "'; drop table runs; --", "", "SES"])
def test_an_unknown_id(home: Path, name: str) -> None:
    fill(story())
    with pytest.raises(UsageError) as e:
        run("show", name)
    assert "list" in e.value.hint


def test_an_ambiguous_prefix_names_the_candidates(home: Path) -> None:
    fill(story())
    fill(renamed(story(), "hzzzzzzz", 60))
    with pytest.raises(UsageError, match=r"could be any of 2: ses-hzzzzzzz, ses-h2xk9dtm"):
        run("show", "ses-h")
    assert ask("show", "ses-h2").startswith(f"session {SESSION}")


def test_an_id_that_begins_another_means_itself(home: Path) -> None:
    fill(story())
    fill(renamed(story(), "h2xk9dtmm", 60))
    assert ask("show", SESSION).startswith(f"session {SESSION}\n")


def test_nothing_recorded_yet(home: Path) -> None:
    fill([])
    for command in (audit, tickets):
        with pytest.raises(UsageError, match="Nothing was recorded yet"):
            run("show", "last", command=command)


@pytest.mark.parametrize(("command", "arguments"), EVERY)
def test_no_store(home: Path, command: Any, arguments: tuple[str, ...]) -> None:
    with pytest.raises(OperatorError, match="There is no store at"):
        run(*arguments, command=command)
    assert not home.exists()


def _foreign(path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript("CREATE TABLE bookmarks (id INTEGER PRIMARY KEY); INSERT INTO bookmarks VALUES (1);")
    db.close()


def _not_sqlite(path: Path) -> None:
    path.write_bytes(b"this is no database\n" * 100)


def _newer(path: Path) -> None:
    fill(story())
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()


def _torn(path: Path) -> None:
    fill(story())
    raw = bytearray(path.read_bytes())
    for at in range(4096, len(raw), 64):
        raw[at:at + 40] = b"\xa5" * 40
    path.write_bytes(raw)


def _cut(path: Path) -> None:
    fill(story())
    path.write_bytes(path.read_bytes()[:5000])


def _bad_json(path: Path) -> None:
    fill(story())
    db = sqlite3.connect(path)
    for table, column in (("events", "data"), ("tickets", "violations"), ("agent_sessions", "verdict")):
        db.execute(f"UPDATE {table} SET {column} = '{{'")
    db.commit()
    db.close()


def _lost_fields(path: Path) -> None:
    fill(story())
    db = sqlite3.connect(path)
    db.execute("UPDATE events SET data = '{}'")
    db.execute("UPDATE tickets SET violations = 'x'")
    db.execute("UPDATE agent_sessions SET verdict = '[]'")
    db.commit()
    db.close()


def _lost_table(path: Path) -> None:
    fill(story())
    db = sqlite3.connect(path)
    db.executescript("DROP TABLE tickets; DROP TABLE agent_sessions;")
    db.close()


@pytest.mark.parametrize("damage", [_foreign, _not_sqlite, _newer, _torn, _cut, _bad_json, _lost_fields, _lost_table])
@pytest.mark.parametrize(("command", "arguments"), EVERY)
def test_a_store_that_is_not_ours_or_damaged(home: Path, damage: Any, command: Any,
                                             arguments: tuple[str, ...]) -> None:
    """One clear error, no traceback, and not one byte changed."""
    home.mkdir(parents=True)
    damage(store_path())
    before = digest(home)
    with pytest.raises(OperatorError) as e:
        run(*arguments, command=command)
    assert e.value.message
    assert digest(home) == before


@pytest.mark.parametrize(("command", "arguments"), [e for e in EVERY if "x" not in e[1]])
def test_reading_changes_nothing(home: Path, command: Any, arguments: tuple[str, ...]) -> None:
    fill(story())
    before = digest(home)
    ask(*arguments, command=command)
    assert digest(home) == before


def test_the_store_stands_under_operator_home_or_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPERATOR_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_folder() == tmp_path / ".operator"
    monkeypatch.setenv("OPERATOR_HOME", "~/elsewhere")
    assert store_path() == tmp_path / "elsewhere" / "tickets.db"


def test_the_record_is_read_without_engine_agent_or_screen(home: Path) -> None:
    """Neither is imported; `audit list` starts at once and works where they cannot."""
    fill(story())
    code = ("import sys, click\n"
            "from operator_demo.commands.audit import audit\nfrom operator_demo.commands.tickets import tickets\n"
            "audit.main(['list'], standalone_mode=False); audit.main(['show', 'last'], standalone_mode=False)\n"
            "tickets.main(['list'], standalone_mode=False)\n"
            "print([m for m in ('docker', 'anthropic', 'rich', 'urllib3', 'yaml') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2],
                          env={**os.environ, "DOCKER_HOST": "tcp://127.0.0.1:1"}, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
