"""
Imports: a conversation made of the pages of its export, under its own id, with the ids of its items.

    part -> read and check (import_lines.py) -> count -> one script -> it is built beside, and named by the last part

Parts come in order, each once: a part that comes again is answered, and one that comes too early is told how far it is.
So whoever lost an answer, or was stopped, sends the parts again from the first on. What is not finished within a day is
forgotten. Counts are made anew.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from shared.config import Settings
from shared.conversations.batch import Prepared
from shared.conversations.conversation import Conversation, now_us
from shared.conversations.entries import write_entry, write_summary
from shared.conversations.import_lines import Begun, Line, Part, read_part
from shared.conversations.info import ConversationInfo, split_owners
from shared.errors import DuplicateItem, ImportOutOfOrder, InvalidValue
from shared.items.counts import PRIMARY_ENCODING, Counts
from shared.items.short import saving
from shared.items.short_counts import count_with_shorts
from shared.process.pool import Pool
from shared.request.caller import Caller
from shared.store import keys
from shared.store.attempts import Attempt, etag
from shared.store.indexes import Names, Spread
from shared.store.members import import_names, own_import_names
from shared.store.refusals import id_taken, raise_refusal
from shared.store.upstash import Store
from shared.tokens.counter import Counter
from shared.tokens.where import Texts, naming

UNFINISHED_S = 86_400

NOT_FIRST, NOT_LAST = Begun(0, 0, "", "", 0), [""] * 6


class Imported(NamedTuple):
    """
    What came of a part. *info* and *etag* are there when that was the last; *digest* is the hash of the newest part
    that there is, *items* how many there are. *is_replay*: the conversation was imported before.
    """

    conversation_id: str
    digest: str
    items: int
    info: ConversationInfo | None = None
    etag: str | None = None
    is_replay: bool = False


class Importing:
    """The use case that makes conversations of exports."""

    def __init__(self, store: Store, counter: Counter, pool: Pool, settings: Settings) -> None:
        self._store = store
        self._counter = counter
        self._pool = pool
        self._settings = settings

    async def add(self, caller: Caller, raw: bytes) -> Imported:
        """
        Take one part.

        Raises:   Malformed, InvalidValue, DuplicateItem, TooLarge, TextNotCountable, ConversationExists,
                  ImportOutOfOrder, StorageExceeded: nothing of it was stored.
        """
        part = await self._pool.run(lambda: read_part(raw, self._settings))
        items = [line.item for line in part.lines if line.item is not None]
        async with naming(self._pool, part.values, "lines", _texts(items)):
            traits, results = [each.traits for each in items], [each.result for each in items]
            counts = await count_with_shorts(self._counter, PRIMARY_ENCODING, traits, results)
        conversation = Conversation(caller, part.conversation_id)
        arguments = await self._pool.run(lambda: _arguments(part, counts))
        reply = await self._send(conversation, part, arguments)
        if reply[1] == "more":
            return Imported(conversation.id, reply[2], int(reply[3]), is_replay=reply[2] != part.digest)
        (_, state, generation, version, chain, created_at, metadata, told), owners = split_owners(reply)
        info = ConversationInfo.told(conversation.id, created_at, metadata, version, told, owners)
        assert info.size is not None
        tag = etag(generation, version, chain, info.used_at_unix_s)
        return Imported(conversation.id, part.digest, info.size.items, info, tag, is_replay=state == "replayed")

    async def _send(self, conversation: Conversation, part: Part, arguments: list[str | int]) -> list[Any]:
        settings = self._settings
        # The chain of the history comes from what was imported, so that a part that is sent twice is the same.
        attempt = Attempt(part.digest[:48], part.digest, "", "", is_client_retry=False)
        # Whose it is only the first part says.
        begun = part.begun or NOT_FIRST
        sets: Sequence[str | Names] = [own_import_names(*conversation.place)]
        whose: Sequence[str | Spread] = [conversation.whose]
        if part.begun is not None:
            sets, whose = import_names(conversation.caller.tenant, begun.owners), begun.owners
            self._store.learn_owners(*conversation.place, begun.owners)
        reply: list[Any] = await self._store.eval(
            "import_part",
            [
                *conversation.names,
                conversation.index_names,
                conversation.left_name,
                keys.import_key(*conversation.place),
                *sets,
            ],
            [
                *conversation.arguments(attempt, settings.idempotency_s, now_us()),
                *(part.digest, part.behind, "more" if part.ended is None else "end"),
                settings.conversation_entries_max,
                settings.conversation_bytes_max,
                settings.pinned_tokens_max,
                settings.tenant_bytes_max,
                settings.conversation_documents_max,
                UNFINISHED_S,
                secrets.token_hex(8),
                begun.created_at_unix_s,
                begun.expiry_s,
                begun.metadata,
                begun.forked_from,
                begun.version,
                *whose,
                *(part.ended or NOT_LAST),
                *arguments,
            ],
            is_idempotent=True,
        )
        if reply[0] == "exists":
            raise id_taken(conversation.id)
        if reply[0] != "ok":
            raise _refusal(reply, part) or raise_refusal(reply, conversation.id, settings, param="body")
        return reply


def _texts(items: list[Prepared]) -> Iterator[Texts]:
    return ((each.at, (each.traits.name, *each.traits.texts, *each.traits.hosted_texts)) for each in items)


def _arguments(part: Part, counts: list[Counts]) -> list[str | int]:
    """Return what the script takes of the documents, of short forms, and of each line."""
    items = [line.item for line in part.lines if line.item is not None]
    counted = iter(counts)
    paths = dict.fromkeys(path for each in items for path in each.traits.documents)
    saved = 0
    arguments: list[str | int] = []
    at_unix_s = part.begun.created_at_unix_s if part.begun else 0
    for line in part.lines:
        if line.item is None:
            arguments += [line.what, line.id, *[""] * 6]
            continue
        count = next(counted)
        at_unix_s = at_unix_s if line.at_unix_s is None else line.at_unix_s
        if line.what == "summary":
            arguments += _summary(line, line.item, count)
        else:
            saved += saving(count)
            arguments += _item(line, line.item, count, at_unix_s)
    return ["".join(f"\n{path}" for path in paths), saved, *arguments]


def _item(line: Line, item: Prepared, count: Counts, at_unix_s: int) -> list[str | int]:
    entry = write_entry(item.id, item.traits, count, item.body, item.extras, item.message, line.at_unix_s)
    tokens = count.overhead_tokens + count.content_tokens
    return ["item", item.id, item.traits.kind, tokens, line.tokens_before, at_unix_s, entry, item.terms]


def _summary(line: Line, item: Prepared, count: Counts) -> list[str | int]:
    facts, tokens = (
        write_summary(item.id, line.through, item.traits, count),
        count.overhead_tokens + count.content_tokens,
    )
    return ["summary", item.id, line.through, tokens, "", line.at_unix_s or 0, facts, item.body.decode()]


def _refusal(reply: list[Any], part: Part) -> InvalidValue | DuplicateItem | ImportOutOfOrder | None:
    """Return the error for what only this script refuses."""
    line = f"lines[{int(reply[1]) + 1}]" if reply[0] in ("taken", "through", "twice") else ""
    match reply[0]:
        case "order":
            return ImportOutOfOrder(
                "This part does not follow what there is of the import; send the parts in order, from the first on.",
                param="lines[0].behind",
                sha256=reply[1] or None,
            )
        case "taken":
            return DuplicateItem(f"{line} has the id of a line before it.", param=line)
        case "through":
            return InvalidValue(f"{line}.through names no item before it.", param=f"{line}.through")
        case "twice":
            return InvalidValue(f"{line}: a conversation has one summary.", param=line)
        case "version":
            return InvalidValue(
                "lines[0].version must be at least the number of lines that it stands for.", param="lines[0].version"
            )
    return None
