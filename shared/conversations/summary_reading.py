"""
The summary of a conversation as callers see it. Apart from summaries.py, which brings what only its making needs.

It comes with the conversation itself, and is answered from L1 as that is (needs.py).
"""

from typing import NamedTuple

import orjson

from shared.context.summarised import Summary
from shared.store.refusals import missing

FIRST_LINE = "Summary of the conversation so far:\n"
"""What models read before the caller's text."""


class SummaryInfo(NamedTuple):
    """A summary; *tokens* is what contexts pay for it. *text* is the caller's, None for whoever just sent it."""

    conversation_id: str
    through: str
    tokens: int
    created_at_unix_s: int
    text: str | None = None

    def as_json(self) -> bytes:
        return orjson.dumps(
            {
                "object": "conversation.summary",
                "conversation_id": self.conversation_id,
                "through": self.through,
                "tokens": self.tokens,
                "created_at": self.created_at_unix_s,
                **({} if self.text is None else {"text": self.text}),
            }
        )


def summary_of(conversation_id: str, summary: Summary | None) -> SummaryInfo:
    """Return the *summary* of a conversation as its snapshot has it. Raises NotFound: there is none."""
    if summary is None:
        raise missing("unknown_summary", conversation_id)
    item = summary.item
    tokens = item.overhead_tokens + item.content_tokens
    return SummaryInfo(conversation_id, summary.through_id, tokens, summary.created_at_unix_s, text_of(summary))


def text_of(summary: Summary) -> str:
    """Return the caller's text of a *summary*."""
    [part] = orjson.loads(summary.item.body)["content"]
    text: str = part["text"]
    return text.removeprefix(FIRST_LINE)
