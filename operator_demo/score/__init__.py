"""What a run was worth: measures that follow from its recorded events, and from nothing else."""

from operator_demo.score.score import Expected, grade

__all__ = ["Expected", "grade"]
