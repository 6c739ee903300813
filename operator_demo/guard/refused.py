"""A refusal, on its way from the check that found it to the decision."""

from operator_demo.guard.decision import NOT_FOUND

__all__ = ["HIDDEN", "HOST_ACCESS", "NOT_FOUND", "NOT_OFFERED", "OLD_API", "PRIVILEGED", "READ_ONLY", "UNKNOWN_KEY",
           "WRONG_VALUE", "Refused"]

# Rules: a few words each, which stand in the record, on the screen and in docs/security.md.
NOT_OFFERED = "not offered"
HIDDEN = "outside the subject"
READ_ONLY = "only looking is allowed"
UNKNOWN_KEY = "unknown key"
WRONG_VALUE = "value not allowed"
HOST_ACCESS = "member with access to the host"
PRIVILEGED = "no privileges"
OLD_API = "old API"


class Refused(Exception):
    """`reason` says what was refused and what is allowed instead, in one or two sentences."""

    def __init__(self, rule: str, reason: str, status: int = 403) -> None:
        super().__init__(reason)
        self.rule, self.reason, self.status = rule, reason, status
