"""How slow a store says that it is: `slow_score` in PD's /stores, from 1 (fast) to 100.

As SlowScore in components/health_controller/src/slow_score.rs: the store inspects its disk every 0.1 s. Of 30
inspections, a tenth that took too long doubles the score; 30 in time lower it, from 100 to 1 in five minutes.
"""

from dataclasses import dataclass

INSPECT = 0.1  # seconds between two inspections, and the longest that one may take (raftstore.inspect-interval)
ROUND = 30  # inspections
RATIO = 0.1  # of them too slow: the score doubles
RECOVERY = 300.0  # seconds from 100 to 1
WORST = 100.0


@dataclass
class SlowScore:
    value: float = 1.0
    inspections: int = 0
    too_slow: int = 0

    def observe(self, seconds: float) -> None:
        """The time that an inspection took."""
        self.inspections += 1
        self.too_slow += seconds > INSPECT
        if self.inspections >= ROUND:
            self.value = self.after_round()
            self.inspections = self.too_slow = 0

    def after_round(self) -> float:
        if not self.too_slow:
            return max(1.0, self.value - WORST * ROUND * INSPECT / RECOVERY)
        share = min(self.too_slow / self.inspections, RATIO) / RATIO
        return min(WORST, self.value * (1 + share))
