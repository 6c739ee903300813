"""Which of an agent's findings it still claims."""

from collections.abc import Sequence

from operator_demo.events import Finding


def standing(findings: Sequence[Finding]) -> list[Finding]:
    """Of the findings in the order of time those that no later one takes back: one about the same member does, and one
    about no member takes back all."""
    kept: dict[str | None, Finding] = {}
    for finding in findings:
        if finding.member is None:
            kept.clear()
        kept.pop(finding.member, None)  # (so that it comes last)
        kept[finding.member] = finding
    return list(kept.values())
