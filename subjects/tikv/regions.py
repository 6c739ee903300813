"""Which region holds a key, and which store leads it: as PD told, corrected by what the stores said since."""

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Region:
    """Keys from `start` up to, and without, `end` (empty: without an end). `peers` maps stores to the ids of their
    replicas; `leader` is a store, 0 where none is known."""

    id: int
    start: bytes
    end: bytes
    conf_ver: int
    version: int
    peers: dict[int, int]
    leader: int

    def holds(self, key: bytes) -> bool:
        return self.start <= key and (key < self.end or not self.end)

    def overlaps(self, other: "Region") -> bool:
        return (self.start < other.end or not other.end) and (other.start < self.end or not self.end)


class Regions:
    """A cache by key range. Regions that overlap a newer one are dropped with it."""

    def __init__(self, regions: Iterable[Region] = ()) -> None:
        self._regions = sorted(regions, key=lambda r: r.start)

    def find(self, key: bytes) -> Region | None:
        at = bisect.bisect_right(self._regions, key, key=lambda r: r.start)
        region = self._regions[at - 1] if at else None
        return region if region and region.holds(key) else None

    def put(self, new: Region) -> None:
        kept = [r for r in self._regions if r.id != new.id and not r.overlaps(new)]
        self._regions = sorted([*kept, new], key=lambda r: r.start)

    def drop(self, region: int) -> None:
        self._regions = [r for r in self._regions if r.id != region]

    def lead(self, region: int, store: int) -> None:
        """A store said who leads the region now."""
        self._regions = [replace(r, leader=store) if r.id == region else r for r in self._regions]

    @property
    def all(self) -> Sequence[Region]:
        """By key."""
        return tuple(self._regions)
