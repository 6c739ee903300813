from hypothesis import given
from hypothesis import strategies as st

from operator_demo.monitor.violations import State, fold, fold_certain, holds
from operator_demo.subject import Violation

GRACES = {"down": 3.0, "slow": 10.0}


def v(invariant: str = "down", member: str = "a", certain: bool = False) -> Violation:
    return Violation(invariant, member, "critical" if invariant == "down" else "warning", "text", certain)


def firing(state: State) -> set[str]:
    return {key for key, s in state.items() if s.firing}


def test_a_violation_fires_when_its_grace_is_over() -> None:
    state: State = fold({}, [v()], GRACES, 100.0)
    assert firing(state) == set()
    state = fold(state, [v()], GRACES, 102.9)
    assert firing(state) == set()
    state = fold(state, [v()], GRACES, 103.0)
    assert firing(state) == {"down:a"}
    assert state["down:a"].since == 100.0


def test_a_blip_starts_anew() -> None:
    state: State = fold({}, [v()], GRACES, 100.0)
    state = fold(state, [], GRACES, 101.0)
    state = fold(state, [v()], GRACES, 102.0)
    assert firing(fold(state, [v()], GRACES, 104.0)) == set()


def test_what_is_certain_fires_at_once_and_goes_on() -> None:
    state: State = fold({}, [v(certain=True)], GRACES, 100.0)
    assert firing(state) == {"down:a"}
    assert firing(fold(state, [v(certain=False)], GRACES, 101.0)) == {"down:a"}


def test_a_report_of_the_engine_adds_what_is_certain_and_takes_nothing_away() -> None:
    state: State = fold({}, [v("slow", "b")], GRACES, 100.0)
    state = fold_certain(state, [v("down", "a", certain=True), v("down", "c")], 100.5)
    assert set(state) == {"slow:b", "down:a"}
    assert firing(state) == {"down:a"}


def test_the_invariants_hold_through_the_grace_of_a_warning_but_not_of_a_critical_one() -> None:
    assert holds({})
    assert holds(fold({}, [v("slow")], GRACES, 100.0))
    assert not holds(fold({}, [v("down")], GRACES, 100.0))
    state: State = fold({}, [v("slow")], GRACES, 100.0)
    assert not holds(fold(state, [v("slow")], GRACES, 110.0))


@given(st.lists(st.lists(st.sampled_from([v("down", "a"), v("down", "b", certain=True), v("slow", "c")]),
                         unique_by=lambda x: x.key), max_size=30))
def test_any_history(history: list[list[Violation]]) -> None:
    state: State = {}
    for second, seen in enumerate(history):
        before, state = state, fold(state, seen, GRACES, float(second))
        assert set(state) == {x.key for x in seen}, "only what was seen now stands"
        for key, s in state.items():
            assert s.since == (before[key].since if key in before else second)
            assert s.firing or second - s.since < GRACES[s.violation.invariant]
