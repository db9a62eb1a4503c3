"""
A session for openai-agents that answers with a context in the place of the whole history.

    session = BudgetedSession(memory)
    Runner.run(agent, "…", session=session, run_config=RunConfig(call_model_input_filter=session.trim))

The runner reads once, at its start, and adds its input and what each model call led to: `get_items` is one request, and
each `add_items`. An added batch is answered with the context right after it, so `trim`, which keeps a loop of tool
calls within the budget, sends none.
"""

import json
from collections.abc import Iterable
from typing import Any, cast

from agents.items import TResponseInputItem
from agents.memory import SessionSettings
from agents.run_config import CallModelData, ModelInputData

from warmthread.calls import Context
from warmthread.errors import ContextDoesNotFit, InvalidRequest
from warmthread.memory import AsyncMemory
from warmthread.sending import JSON

FAKE_ID = "__fake_id__"
"""What the framework gives to items of models that have no ids."""

ITEMS_PER_BATCH_MAX = 100
ROOM_PARTS = 4
"""One part in so many of the budget is left for the input, unless the session says otherwise."""


class BudgetedSession:
    """
    The session of one conversation. *memory* must name a `budget`; instructions and tools are its `overhead_tokens`.

    *input_tokens*: what `get_items` leaves for the input that is added after it; a quarter of the budget without. Where
    the newest of the conversation needs some of it, less is left: `trim` then still keeps each call within the budget.
    """

    session_settings: SessionSettings | None = None

    def __init__(self, memory: AsyncMemory, *, input_tokens: int | None = None) -> None:
        if "budget" not in memory.wanted:
            raise ValueError("the memory of a BudgetedSession needs a budget")
        self.memory = memory
        memory.ask_in("items")
        self._budget = memory.wanted["budget"]
        self._input_tokens = self._budget // ROOM_PARTS if input_tokens is None else input_tokens
        self._added: JSON | None = None
        self._newest: Context | None = None

    @property
    def session_id(self) -> str:
        return self.memory.conversation_id

    @session_id.setter
    def session_id(self, value: str) -> None:
        self.memory.conversation_id = value
        self._added = self._newest = None

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the context with room for the input; of it the last *limit* items. Raises Problem, Unreachable."""
        overhead = self.memory.wanted.get("overhead_tokens", 0)
        try:
            context = await self.memory.context(overhead_tokens=overhead + self._input_tokens)
        except ContextDoesNotFit as error:
            less = overhead + self._input_tokens - (error.needed_tokens - self._budget)
            if less < overhead:
                raise
            context = await self.memory.context(overhead_tokens=less)
        items = context.messages
        return _as_input(items if limit is None else items[max(len(items) - limit, 0) :])

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """
        Append *items*: all of them or none, where they are at most 100.

        Raises:   Problem, Unreachable. A context that does not fit is an error of the model call's and not of this one.
        """
        given = [_as_stored(item) for item in items]
        for start in range(0, len(given), ITEMS_PER_BATCH_MAX):
            batch = given[start : start + ITEMS_PER_BATCH_MAX]
            self._newest = None
            try:
                self._newest = await self._append(batch)
            except ContextDoesNotFit as error:
                if not error.is_appended:
                    raise
            self._added = batch[-1]

    async def _append(self, batch: list[JSON]) -> Context:
        try:
            return await self.memory.turn(batch)
        except InvalidRequest as error:
            if error.code != "duplicate_item":
                raise
            # Nothing was stored. Some models count their ids anew in each answer: then the service makes others.
            return await self.memory.turn([{name: item[name] for name in item if name != "id"} for item in batch])

    async def pop_item(self) -> TResponseInputItem | None:
        """Delete the newest item and return it; None without one. Two requests."""
        newest = await self.memory.items(limit=1, order="desc")
        if not newest:
            return None
        await self.memory.delete_item(newest[0]["id"])
        self._added = self._newest = None
        return _as_input(newest)[0]

    async def clear_session(self) -> None:
        """Remove the conversation and go on with a new one, whose id `session_id` then is."""
        await self.memory.restart()
        self._added = self._newest = None

    async def trim(self, data: CallModelData[Any]) -> ModelInputData:
        """
        A `call_model_input_filter`: the context right after what was added last, and what the input holds beyond that.

        An input that does not hold what was added last was made by someone else, a handoff's filter for instance: it is
        left as it is.

        Raises:   ContextDoesNotFit: the newest turn alone exceeds the budget.
        """
        given = [cast("JSON", item) for item in data.model_data.input]
        end = _end_of(self._added, given)
        if end is None:
            return data.model_data
        context = self._newest or await self.memory.context()
        return ModelInputData(
            input=_as_input([*context.messages, *given[end:]]), instructions=data.model_data.instructions
        )


def _as_input(items: Iterable[JSON]) -> list[TResponseInputItem]:
    return [cast("TResponseInputItem", item) for item in items]


def _as_stored(item: TResponseInputItem) -> JSON:
    """Return *item* without what its stored form lacks: a made-up id, what the framework notes for itself."""
    without = ("provider_data", *(("id",) if item.get("id") in (FAKE_ID, "", None) else ()))
    return {name: value for name, value in item.items() if name not in without}


def _end_of(added: JSON | None, given: list[JSON]) -> int | None:
    """Return the index behind what of *given* was *added* last; None where it is not among them."""
    if added is None:
        return None
    wanted = _essence(added)
    return next((index + 1 for index in reversed(range(len(given))) if _essence(given[index]) == wanted), None)


def _essence(item: JSON) -> str:
    """*item* but for what the runner changes on its way to the model."""
    if "call_id" in item:
        return f"{item.get('type')} {item['call_id']}"
    kept = {name: value for name, value in item.items() if name not in ("id", "status", "type", "provider_data")}
    return json.dumps(kept, sort_keys=True, default=str)
