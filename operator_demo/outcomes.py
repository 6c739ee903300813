"""How a run can end. A scenario calls one of the first three right, and an agent claims `repaired` or `no_action`."""

REPAIRED = "repaired"  # broken, repaired by the agent, and verified
ESCALATED = "escalated"  # the agent handed it to a human
NO_ACTION = "no_action"  # the agent saw that nothing was to be done, and that is so
CLEARED = "cleared"  # it healed while nobody held the ticket
UNVERIFIED = "unverified"  # none of these is proved
INTERRUPTED = "interrupted"  # by a signal or a key
FAILED = "failed"  # the run itself could not go on

JUDGED = (REPAIRED, ESCALATED, NO_ACTION, CLEARED)
"""Those that rest on the record: a contradiction in it makes them `unverified`."""
