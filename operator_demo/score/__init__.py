"""How good a run was, computed from its recorded events alone."""

from operator_demo.score.score import Expected, grade

__all__ = ["Expected", "grade"]
