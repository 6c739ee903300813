"""Requests of the agent that wait for a human: what may be answered, and within which time."""

LIMIT = 90.0  # seconds; then the answer is no
GRACE = 5.0  # seconds after the limit in which the end of a request is told
YES, NO, ALWAYS = "yes", "no", "always"  # what a human may answer
TIMEOUT, WITHDRAWN = "timeout", "withdrawn"  # how a request ends without an answer
ANSWERS = (YES, NO, ALWAYS)
