"""The picture of the system: what each member's box says by its shape, and what the quorum means in words."""

from typing import Any

from drawn import drawn
from story import Author, members

from operator_demo import events
from operator_demo.screen.layout import arrange
from operator_demo.screen.terminal_text import UNICODE


def picture(seen: dict[str, dict[str, Any]], *, quorum: bool = True, violations: tuple[str, ...] = (),
            groups: tuple[dict[str, Any], ...] = (), size: tuple[int, int] = (80, 24), **cluster: Any) -> str:
    a = Author()
    a.say(0, events.MONITOR, "monitor_started", subject="s", members=list(seen), groups=list(groups))
    a.say(0, events.MONITOR, "observation", members=seen, cluster={"quorum": quorum, **cluster},
          violations=list(violations), duration=0.1)
    return "\n".join(drawn(a.events, size, 1, UNICODE, True, arrange))


def test_each_condition_has_a_shape_of_its_own() -> None:
    def shape(**changed: Any) -> tuple[str, str]:
        """The upper left corner with the line after it, and the mark."""
        seen = members()
        seen["etcd2"] |= changed
        row = next(line for line in picture(seen).splitlines() if "etcd2" in line)
        above = picture(seen).splitlines()[picture(seen).splitlines().index(row) - 1]
        place = row.index("etcd2")
        return above[place - 4:place - 2], row[place - 2]

    gone = {"reachable": False, "healthy": False}
    shapes = [shape(), shape(state="exited", **gone), shape(state="paused", **gone), shape(address=None, **gone),
              shape(**gone)]
    assert len(set(shapes)) == len(shapes), shapes


def test_a_slow_member_has_another_frame() -> None:
    drawn = picture(members(), violations=("high_latency:etcd2",))
    assert "▲ etcd2" in drawn and "slow" in drawn and "┌┈" in drawn


def test_what_the_quorum_means_is_said() -> None:
    assert "● quorum 3 of 3 · one loss can be borne" in picture(members())
    assert "▲ quorum 2 of 3 · one more loss stops all writes" in picture(members("etcd2"))


def test_no_leader_is_named_without_a_quorum() -> None:
    drawn = picture(members(), quorum=False)
    assert "✖ NO QUORUM · 3 of 3 live, they do not agree" in drawn
    assert "leader" not in drawn and "★" not in drawn


def test_a_link_ends_where_a_member_is_gone() -> None:
    assert picture(members()).count("══") == 2
    assert "══" not in picture(members("etcd2"))


def test_groups_stand_one_below_the_other() -> None:
    seen = {name: {"state": "running", "address": "a", "reachable": True, "healthy": True, "kind": name[:-1]}
            for name in ("pd0", "pd1", "pd2", "kv0", "kv1", "kv2", "watch0")}
    seen["kv1"] |= {"figures": [{"name": "leads", "text": "6 of 14", "share": 0.43}]}
    groups = ({"title": "PD", "members": ["pd0", "pd1", "pd2"], "quorum": 2},
              {"title": "stores", "members": ["kv0", "kv1", "kv2"], "quorum": 2},
              {"title": "metrics", "members": ["watch0"]})
    drawn = picture(seen, groups=groups, size=(120, 40), shown=["14 regions, none lacks a replica"])
    rows = drawn.splitlines()
    first, second = (next(n for n, row in enumerate(rows) if name in row) for name in ("pd0", "kv0"))
    assert "pd2" in rows[first] and "kv2" in rows[second] and first < second
    for part in ("leads 6 of 14", "● watch0", "PD: quorum 3 of 3", "stores: quorum 3 of 3", "none lacks a replica"):
        assert part in drawn, part


def test_more_than_nine_members_are_a_table() -> None:
    seen = {f"node{n}": {"state": "running", "address": "a", "reachable": True, "healthy": True, "read_latency": 0.002}
            for n in range(12)}
    seen["node7"] |= {"state": "exited", "exit_code": 137, "healthy": False, "reachable": False}
    drawn = picture(seen, size=(120, 40))
    assert "member" in drawn and "state" in drawn and "read" in drawn, "the columns have heads"
    assert "✖ node7" in drawn and "exited (137)" in drawn


def test_a_crash_loop_and_what_others_did_are_a_line_each() -> None:
    a = Author()
    a.say(0, events.MONITOR, "observation", members=members(), cluster={"quorum": True}, violations=[], duration=0.1)
    a.say(1, events.STAGE, "chapter", name="detection", title="Detection", narration="")
    for second in range(6):
        for action in ("die", "start"):
            a.say(2 + second, events.MONITOR, "effect", container="c", member="etcd2", action=action,
                  explained="policy")
    a.say(9, events.MONITOR, "note", level="info", text="Others used this engine.", others=3)
    drawn_lines = drawn(a.events, (120, 40), 9, UNICODE, True, arrange)
    text = "\n".join(drawn_lines)
    assert "etcd2: restarted 6 times" in text and "die" not in text
    assert "3 containers outside the demo changed" in text
