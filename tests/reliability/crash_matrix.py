"""Which cause meets which chapter: not the full product, but each of both at least twice."""

import crash_causes as causes
from crash_causes import Cause

MATRIX: dict[Cause, tuple[str, ...]] = {
    causes.host_is_killed: ("welcome", "fault", "repair", "end"),
    causes.terminal_is_gone: ("healthy", "verified"),
    causes.host_is_stopped: ("healthy", "repair"),
    causes.second_host: ("healthy", "detection"),
    causes.down_from_elsewhere: ("load", "end"),
    causes.monitor_is_killed: ("load", "verified"),
    causes.guard_is_killed: ("load", "repair"),
    causes.agent_is_killed: ("detection", "repair"),
    causes.workload_is_killed: ("load", "fault"),
    causes.engine_restarts: ("load", "repair"),
    causes.engine_is_frozen: ("welcome", "fault"),
    causes.store_is_full: ("healthy", "repair"),
    causes.store_is_held: ("fault", "detection"),
}
CASES = [(cause, chapter) for cause, chapters in MATRIX.items() for chapter in chapters]
