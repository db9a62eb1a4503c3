"""
What this instance holds of a conversation, and what is kept beside it: facts that follow from it, not to be made twice.
"""

from typing import Any, NamedTuple

from shared.cache.l1 import L1
from shared.context.formats.unit_form import NO_FORMS, Forms
from shared.context.recalled import Recollection
from shared.conversations.conversation import Conversation
from shared.conversations.folds import Kept
from shared.conversations.provenance import Provenance
from shared.conversations.snapshot import Snapshot, item_bytes
from shared.items.counts import Counts
from shared.process.clock import Instant
from shared.recall.ask import Recalled
from shared.request.freshness import Tier

COUNT_BYTES = 210
"""What a kept count of a second encoding holds in memory."""

MARK_BYTES = 400
"""The same for the mark of a document, with its path."""

RANK_BYTES = 200
"""The same for a place that was recalled."""

CHAIN_BYTES = 74
"""The same for a chain hash that was read."""


class Held(NamedTuple):
    """
    A snapshot in L1, and when the store last said that it is the newest.

    *counts*: by encoding, the counts that the store keeps beside the entries. They are facts of a generation, so
    newer snapshots share them, and whoever counts adds to them. *marks*: by path, what the store last said of the
    documents that the conversation mentions; "" where it knows nothing of one. *forms*: what its newest context was
    made of. *fold*: what that was chosen from, None before the first; it may be of an older snapshot. *recalled*: what
    was last recalled, and *notes*, by what they are of, the notes that were made of that; who makes one adds to them.
    """

    snapshot: Snapshot
    validated_at: Instant
    counts: dict[str, dict[int, Counts]]
    marks: dict[str, str]
    forms: Forms = NO_FORMS
    fold: Kept | None = None
    recalled: Recalled | None = None
    notes: dict[Any, Recollection] | None = None

    @property
    def size_bytes(self) -> int:
        beside = COUNT_BYTES * sum(map(len, self.counts.values())) + MARK_BYTES * len(self.marks)
        beside += CHAIN_BYTES * len(self.snapshot.chains)
        fold_bytes = self.fold.size_bytes if self.fold is not None else 0
        if self.recalled is not None:
            found = [rank.item for rank in self.recalled.ranks if rank.item is not None]
            beside += RANK_BYTES * len(self.recalled.ranks) + sum(map(item_bytes, found))
        beside += sum([2 * len(each.note.body) for each in (self.notes or {}).values() if each.note is not None])
        return self.snapshot.size_bytes + beside + self.forms.size_bytes + fold_bytes


def remember(l1: L1[Held], conversation: Conversation, held: Held) -> None:
    """Put *held* into *l1*; without what follows from it, where it is only with that too large to be kept."""
    l1.put(conversation.place, held)
    if l1.get(conversation.place) is None and (held.fold is not None or held.forms is not NO_FORMS):
        l1.put(conversation.place, held._replace(fold=None, forms=NO_FORMS))


class Reading(NamedTuple):
    """
    What a read found, and where. What a caller makes of it can be kept beside it for the next one, as long as *l1*
    holds the same.
    """

    held: Held
    tier: Tier
    age_s: float
    conversation: Conversation
    l1: L1[Held]
    is_partial: bool = False

    @property
    def provenance(self) -> Provenance:
        return Provenance.of(self.held.snapshot.header, self.tier, self.age_s, is_partial=self.is_partial)

    def keep(self, fold: Kept | None, forms: Forms) -> None:
        """Keep what a context was chosen from, and made of."""
        is_new = fold is not self.held.fold or forms is not self.held.forms
        if is_new and self.l1.get(self.conversation.place) is self.held:
            remember(self.l1, self.conversation, self.held._replace(fold=fold, forms=forms))

    def add_note(self, key: Any, made: Recollection) -> None:
        """Keep the note that was *made* of what is held as recalled."""
        if self.held.notes is None:
            return
        self.held.notes[key] = made
        if self.l1.get(self.conversation.place) is self.held:
            remember(self.l1, self.conversation, self.held)  # Its size is another one now.

    def add_counts(self, encoding: str, fresh: dict[int, Counts]) -> dict[int, Counts]:
        """Keep *fresh* counts, and return all of that encoding."""
        counts = self.held.counts.setdefault(encoding, {})  # It may not have been asked for in this encoding.
        counts |= fresh
        if self.l1.get(self.conversation.place) is self.held:
            remember(self.l1, self.conversation, self.held)  # Its size is another one now.
        return counts
