"""Finds what was changed, removed or added in the record of a run after the host took it in.

The chain is computed anew from the events. The hash that is stored with each entry tells where it breaks. Whoever can
write the store can also compute a whole new chain; it then has another head than the one that was shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from operator_demo.chain import Chain, Entry, entries_in_words, link, seed
from operator_demo.store import Store
from operator_demo.tables_check import contradictions

CHANGED, REMOVED, ADDED = "changed", "removed", "added"


@dataclass(frozen=True)
class Alteration:
    """`first` and `last` are positions in the chain, None where it is not about entries of the chain."""

    what: str
    text: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Verification:
    """What was found in a record. `head` is that of the chain as it is stored."""

    chain: Chain
    alterations: list[Alteration]

    @property
    def whole(self) -> bool:
        return not self.alterations


def verify_run(store: Store, run: str, head: str = "") -> Verification:
    """The record of a run in the store, with the tables that follow from it."""
    with store.snapshot():
        chain, entries = store.chain(run), store.entries(run)
        alterations = altered(chain, entries, head)
        if not alterations:
            alterations = [Alteration(CHANGED, text) for text in contradictions(store, run, entries)]
    return Verification(chain, alterations)


def altered(chain: Chain, entries: list[Entry], head: str = "") -> list[Alteration]:
    """What was altered in the entries of a run, which stand in the order of their positions, and whether `head`, shown
    earlier (a beginning of it is enough), stands in the chain."""
    unchained = [e for e in entries if e.position is None and e.hash is None]
    chained = [e for e in entries if e.position is not None or e.hash is not None]
    return [*_count_unchained(chain, unchained), *_walk(chain, chained), *_look_for(head, chain, chained)]


def _count_unchained(chain: Chain, unchained: list[Entry]) -> Iterator[Alteration]:
    more = len(unchained) - chain.unchained
    if more > 0:
        of = f" ({_about(unchained[0])})" if chain.unchained == 0 and more == 1 else ""
        yield Alteration(ADDED, f"{entries_in_words(more)} without a place in the chain{of}")
    if more < 0:
        yield Alteration(REMOVED, f"{entries_in_words(-more)} of those recorded before the chain existed")


def _walk(chain: Chain, chained: list[Entry]) -> Iterator[Alteration]:
    previous, last = seed(chain.run, chain.unchained), 0
    for n, entry in enumerate(chained):
        following = chained[n + 1] if n + 1 < len(chained) else None
        if entry.position is None or entry.hash is None:
            yield Alteration(ADDED, f"an entry without a place in the chain ({_about(entry)})")
            continue
        if not _follows(entry, previous):
            if entry.position > last + 1:
                yield _removed(last + 1, entry.position - 1)
            elif following is not None and _follows(following, previous):
                yield _one(ADDED, entry)
                last = entry.position
                continue
            else:
                yield _one(CHANGED, entry)
        elif entry.position > last + 1:
            yield Alteration(CHANGED, f"the position of entry {last + 1} ({_about(entry)})", last + 1, last + 1)
        previous, last = entry.hash, entry.position
    if last < chain.entries:
        yield _removed(last + 1, chain.entries)
    elif last > chain.entries:
        yield Alteration(ADDED, _range(chain.entries + 1, last), chain.entries + 1, last)
    elif previous != chain.head:
        yield Alteration(CHANGED, "the head that is stored, or the last entry")


def _follows(entry: Entry, previous: bytes) -> bool:
    """Is the stored hash that of this entry after the one with the hash `previous`?"""
    try:
        return link(previous, entry.canonical()) == entry.hash
    except TypeError:  # a field holds what the host never writes
        return False


def _look_for(head: str, chain: Chain, chained: list[Entry]) -> Iterator[Alteration]:
    hashes = {chain.head.hex(), *(e.hash.hex() for e in chained if isinstance(e.hash, bytes))}
    if head and not any(hash.startswith(head.lower()) for hash in hashes):
        yield Alteration(CHANGED, f"the chain: the head {head} stands nowhere in it")


def _removed(first: int, last: int) -> Alteration:
    return Alteration(REMOVED, _range(first, last), first, last)


def _one(what: str, entry: Entry) -> Alteration:
    return Alteration(what, f"entry {entry.position} ({_about(entry)})", entry.position, entry.position)


def _about(entry: Entry) -> str:
    e = entry.event
    return f"{e.source} {e.type}, number {e.seq} of its source, {e.ts}"


def _range(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"
