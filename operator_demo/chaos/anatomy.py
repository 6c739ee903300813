"""What some faults need to know about a subject (`operator_demo.subject.Anatomy`)."""

from collections.abc import Sequence

from operator_demo.subject import Anatomy, HasAnatomy, HasKinds, Subject


def anatomy(subject: Subject) -> Anatomy:
    return subject.anatomy if isinstance(subject, HasAnatomy) else Anatomy()


def of_another_kind(subject: Subject, targets: Sequence[str]) -> str | None:
    """Why the fault is not possible for these members; None if all are of the anatomy's kind."""
    kind, kinds = anatomy(subject).kind, subject.kinds if isinstance(subject, HasKinds) else {}
    wrong = next((name for name in targets if kind and kinds.get(name) != kind), None)
    return f"{wrong} is of the kind {kinds.get(wrong)}, and it can only be done to the kind {kind}" if wrong else None
