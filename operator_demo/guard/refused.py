"""A refusal, on its way from the check that found it to the decision."""

from operator_demo.guard.decision import NOT_FOUND, Target

__all__ = ["HIDDEN", "HOST_ACCESS", "NOT_FOUND", "NOT_OFFERED", "OLD_API", "PRIVILEGED", "UNKNOWN_KEY",
           "WRONG_OBJECT", "WRONG_VALUE", "Refused"]

# Rules: a few words each, which stand in the record, on the screen and in docs/security.md.
NOT_OFFERED = "not offered"
HIDDEN = "outside the subject"
WRONG_OBJECT = "not on this object"
UNKNOWN_KEY = "unknown key"
WRONG_VALUE = "value not allowed"
HOST_ACCESS = "member with access to the host"
PRIVILEGED = "no privileges"
OLD_API = "old API"


class Refused(Exception):
    """`reason` says what was refused and what is allowed instead, in one or two sentences; `target` what it was about,
    as far as that is known."""

    def __init__(self, rule: str, reason: str, status: int = 403, target: Target | None = None) -> None:
        super().__init__(reason)
        self.rule, self.reason, self.status, self.target = rule, reason, status, target
