"""A post-mortem in Markdown, to paste: outcome, impact, cause, timeline, actions, and what the oracle saw.

What comes from outside is escaped or stands in code, so that it can neither format the text nor load a picture.
"""

import re
from collections.abc import Iterator
from typing import Any

from operator_demo.screen.quantities import milliseconds, plural, seconds

Json = dict[str, Any]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~&$])")
_TOLD = ("fault", "ticket", "finding", "verdict", "refusal", "session")
_ILL = ("warn", "bad")


def postmortem(told: Json) -> str:
    """`told` is what `digest.digest` returns."""
    parts = (_head, _impact, _cause, _timeline, _actions, _checks, _record)
    return "\n".join(line for part in parts for line in [*part(told), ""]).rstrip("\n") + "\n"


def _head(told: Json) -> Iterator[str]:
    run, verdict = told["run"], told["verdict"]
    system = ", ".join(part for part in (run["subject"], run["scenario"]) if part)
    yield f"# Post-mortem: {_plain(system)}"
    yield ""
    yield f"**{_plain(verdict['words'])}.** {_plain(verdict['promise'])}"
    yield ""
    yield f"- Run {_code(run['id'])}, begun {run['started'][:19]}Z, {seconds(run['duration'])} long"
    yield f"- Agent: {_plain(run['agent'])}{_mode(run)}"
    for fact in told["facts"]:
        yield f"- {fact['name']}: {_plain(fact['value'])} ({_plain(fact['text'])})"
    for text in told["contradictions"]:
        yield f"- The record is contradicted: {_plain(text)}"


def _mode(run: Json) -> str:
    return f", {run['mode']} mode" if run["mode"] else ""


def _impact(told: Json) -> Iterator[str]:
    yield "## Impact"
    yield ""
    ill = list(_ill_members(told["axis"]))
    yield from ill or ["- No member was seen unwell after the fault."]
    load, zero = told["axis"]["load"], told["axis"]["fault"] or 0.0
    after = [n for n, at in enumerate(load["at"]) if at >= zero]
    failed = sum(load["errors"][n] for n in after)
    slowest = max((load["p99"][n] or 0.0 for n in after), default=0.0)
    if load["at"]:
        worst = f"; the worst second had a 99th percentile of {milliseconds(slowest / 1000)}" if slowest else ""
        yield f"- Clients: {plural(failed, 'failed operation')}{worst}."


def _ill_members(axis: Json) -> Iterator[str]:
    zero = axis["fault"] or 0.0
    for lane in axis["lanes"]:
        spans = [span for span in lane["spans"] if span["tone"] in _ILL and span["to"] >= zero]
        if spans:
            states = ", ".join(dict.fromkeys(span["state"] for span in spans))
            lasted = sum(span["to"] - max(span["from"], zero) for span in spans)
            yield f"- {_plain(lane['name'])} was {_plain(states)} for {seconds(lasted)}."


def _cause(told: Json) -> Iterator[str]:
    yield "## Cause"
    yield ""
    findings = [entry for entry in told["story"] if entry["kind"] == "finding"]
    for entry in findings:
        yield f"- The agent: {_plain(_joined(entry).removeprefix('finding: '))}"
    if not findings:
        yield "- No diagnosis was given."
    sealed = told["envelope"]
    if sealed is not None:
        truth = ", ".join(f"{name} {text}" for name, text in sealed["truth"])
        yield f"- The sealed cause: {_plain(truth) or 'not opened'}. {_plain(sealed['sentence'])}"
        yield f"  SHA-256 {_code(sealed['sha256'])}"


def _timeline(told: Json) -> Iterator[str]:
    yield "## Timeline"
    yield ""
    yield "Seconds after the fault." if told["axis"]["fault"] is not None else "Seconds after the beginning of the run."
    yield ""
    for entry in told["story"]:
        time = _time(entry["at"] - (told["axis"]["fault"] or 0.0))
        if entry["kind"] == "step" and entry["changes"]:
            yield f"- **{time}** {_plain(entry['speaker'])}: {_code(entry['command'])}"
        elif entry["kind"] in _TOLD:
            yield f"- **{time}** {_plain(entry['speaker'])}: {_plain(entry['lines'][0][0])}"


def _actions(told: Json) -> Iterator[str]:
    yield "## Actions"
    yield ""
    steps = [entry for entry in told["story"] if entry["kind"] == "step"]
    changes = [step for step in steps if step["changes"]]
    for step in changes:
        yield f"- {_code(step['command'])}"
        if step["why"]:
            yield f"  - Why: {_plain(step['why'])}"
        for text, _ in step["effects"]:
            yield f"  - {_plain(text)}"
    yield f"- {plural(len(steps) - len(changes), 'other tool call')} changed nothing that the engine saw."


def _checks(told: Json) -> Iterator[str]:
    yield "## What the oracle saw"
    yield ""
    checks = told["oracle"]["checks"]
    if not checks:
        yield "It gave no verdict."
        return
    yield "| check | when the ticket opened | at the end |"
    yield "| --- | --- | --- |"
    for check in checks:
        yield f"| {_plain(check['name'])} | {_seen(check['before'])} | {_seen(check['after'])} |"


def _record(told: Json) -> Iterator[str]:
    yield "## Record"
    yield ""
    chain = told["chain"]
    if not chain["verify"]:
        yield "It was made before records had a chain; nothing proves that it was not altered."
        return
    yield f"{chain['entries']} entries. Whoever has the record can check that it was not altered:"
    yield ""
    yield f"    {chain['verify']}"


def _seen(check: Json | None) -> str:
    if check is None:
        return "not asked"
    return f"{check['status']}: {_plain(check['saw'])}" if check["saw"] else str(check["status"])


def _time(after: float) -> str:
    size = abs(after)
    return f"{'-' if after < 0 else '+'}{milliseconds(size) if size < 0.1 else seconds(size)}"


def _joined(entry: Json) -> str:
    return " ".join(text for text, _ in entry["lines"])


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """A code span around any text, in one line."""
    content = " ".join(text.split())
    fence = "`" * (max((len(run) for run in re.findall("`+", content)), default=0) + 1)
    room = " " if "`" in content else ""
    return f"{fence}{room}{content}{room}{fence}"
