"""
What one caller does, drawn by lot: a writer appends, deletes and reads, a reader reads; mostly at its own instance.
"""

import random
from typing import Any

from scripts.proving.coherence.caller import WHOLE_BUDGET_TOKENS, WINDOW_BUDGET_TOKENS, Caller
from scripts.proving.coherence.reached import Instance, Reached

HOME_SHARE = 0.75
WRITE_SHARE, DELETE_SHARE, REFUSED_SHARE, GIVEN_ID_SHARE = 0.6, 0.04, 0.03, 0.15
BATCH_ITEMS_MAX = 4
MAX_AGE_S, MAX_AGE_SHARE = 1, 0.15
RESTART_LISTING_SHARE = 0.01
RECENT_IDS, RECENT_SHARE, DELETED_SHARE = 20, 0.6, 0.2


class Actor:
    """Chooses what a caller does next."""

    def __init__(self, caller: Caller, home: Instance, fleet: Reached, dice: random.Random, *, is_writer: bool) -> None:
        self._caller = caller
        self._home = home
        self._fleet = fleet
        self._dice = dice
        self._is_writer = is_writer
        self._cursor = ""
        self._batches = 0

    def act(self) -> None:
        instance = self._home
        if self._dice.random() > HOME_SHARE:
            instance = self._dice.choice(self._fleet.available)
        chance = self._dice.random() if self._is_writer else 1.0
        if chance < DELETE_SHARE and len(self._caller.shared.ids) > 1:
            recent = self._dice.random() < RECENT_SHARE
            self._caller.delete(
                instance, self._dice.choice(self._caller.shared.ids[1:][-RECENT_IDS if recent else 0 :])
            )
        elif chance < WRITE_SHARE:
            self._caller.append(self._home, self._batch())
        else:
            self._read(instance, MAX_AGE_S if self._dice.random() < MAX_AGE_SHARE else 0)

    def _batch(self) -> list[dict[str, Any]]:
        self._batches += 1
        name = f"w{self._home.number}-{self._batches}"
        count = self._dice.randint(1, BATCH_ITEMS_MAX)
        items: list[dict[str, Any]] = [
            {
                "role": "user" if index == 0 and self._dice.random() < 0.5 else "assistant",
                "content": f"{name}-{index} " + "word " * self._dice.randint(3, 40),
            }
            for index in range(count)
        ]
        chance = self._dice.random()
        if chance < REFUSED_SHARE:
            items[-1]["id"] = self._dice.choice(self._caller.shared.ids)
        elif chance < REFUSED_SHARE + GIVEN_ID_SHARE:
            for index, item in enumerate(items):
                item["id"] = f"msg_{name}-{index}"
        return items

    def _read(self, instance: Instance, max_age_s: int) -> None:
        chance = self._dice.random()
        if chance < 0.3:
            if self._dice.random() < RESTART_LISTING_SHARE:
                self._cursor = ""
            page = self._caller.page(instance, self._cursor, max_age_s)
            if page is None:
                self._cursor = ""
            elif page[0]:
                self._cursor = page[0][-1]
        elif chance < 0.4:
            self._caller.tail(instance, max_age_s)
        elif chance < 0.65:
            self._caller.lookup(instance, self._dice.choice(self._candidates()), max_age_s)
        else:
            budget_tokens = WINDOW_BUDGET_TOKENS if chance < 0.9 else WHOLE_BUDGET_TOKENS
            self._caller.context(instance, budget_tokens, max_age_s)

    def _candidates(self) -> list[str]:
        """Return ids to choose from: mostly those that something happened to lately."""
        chance, shared = self._dice.random(), self._caller.shared
        if chance < DELETED_SHARE and shared.deletions:
            return shared.deletions[-RECENT_IDS:]
        return shared.ids[-RECENT_IDS:] if chance < DELETED_SHARE + RECENT_SHARE else shared.ids
