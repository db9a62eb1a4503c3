"""
Where a format sends another thing of an item than its chat form, by what is counted of it.

Differences are counted at append and kept among an entry's facts (counts.py), so that choosing for a format is prefix
sums over stored counts as it is for chat. Of an item that every format sends as chat does there are none.

What depends on the log is no part of them: which id a call has in the end, and in Gemini the name of a result, which is
that of its call, where chat has the id (context/units.py).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.items.alike import is_alike
from shared.items.anthropic import anthropic_form
from shared.items.chat import ChatForm
from shared.items.dialects.extras import thoughts_in
from shared.items.gemini import gemini_form
from shared.items.part_types import Part
from shared.items.responses import responses_form
from shared.items.shown import NO_EXTRAS, Extras
from shared.tokens.images import data_url_size, image_bound, image_tokens

AT_THE_END = "anthropic end"
"""Of Anthropic, where an item's text ends what is sent: white space may not stand there."""


GEMINI_NAME = "gemini name"
"""Of Gemini, the name of a call alone, as a result has it."""


class Difference(NamedTuple):
    """
    What *context_format* sends: *texts* and *fixed_tokens* of content. *is_framed*: it opens or belongs to a message,
    *is_named*: which says who speaks.
    """

    context_format: str
    texts: tuple[str, ...]
    fixed_tokens: int
    is_framed: bool
    is_named: bool


def differences(
    item: Mapping[str, Any], form: ChatForm | None, fixed_tokens: int, *, is_named: bool, extras: Extras = NO_EXTRAS
) -> tuple[Difference, ...]:
    """Return the differences of a stored *item*; *form*, *fixed_tokens* and *is_named* say what chat sends of it."""
    if not extras and is_alike(item):
        return ()
    return compared(item, form, fixed_tokens, is_named=is_named, extras=extras)


def compared(
    item: Mapping[str, Any], form: ChatForm | None, fixed_tokens: int, *, is_named: bool, extras: Extras
) -> tuple[Difference, ...]:
    """Return the same, found by writing the item down in every format."""
    texts = _counted(form.texts() if form else ())
    thoughts = _counted(thoughts_in(extras))
    chat = Difference("chat", texts + thoughts, fixed_tokens, form is not None, is_named)
    call_id = () if form is None or form.tool_call_id is None else (form.tool_call_id,)
    anthropic = anthropic_form(item, form, extras)
    gemini = gemini_form(item, form, extras)
    responses = responses_form(item, extras)
    of_items = texts
    if form is not None and form.tool_call is None:
        of_items = (*call_id, *responses.texts)
    of_anthropic = _sent("anthropic", anthropic.texts, _urls_tokens(anthropic.images), is_framed=bool(anthropic.blocks))
    of_gemini = _sent("gemini", call_id + gemini.texts, _urls_tokens(gemini.images), is_framed=bool(gemini.parts))
    of_text = chat._replace(context_format="text", texts=texts, fixed_tokens=0, is_named=is_named and not call_id)
    found = [each for each in (of_anthropic, of_gemini, of_text) if each[1:] != chat[1:]]
    if form is not None and form.tool_call is not None and gemini.texts[0] != chat.texts[0]:
        found.append(of_gemini._replace(context_format=GEMINI_NAME, texts=gemini.texts[:1]))
    is_framed = form is not None and responses.item is not None
    items = _sent("items", of_items if is_framed else (), _image_tokens(responses.images), is_framed=is_framed)
    if items[1:] != chat[1:] or responses.item is not item or not responses.is_whole:
        found.append(items)
    if of_anthropic.is_framed and form is not None and form.role == "assistant" and form.tool_call is None:
        *before, last = anthropic.texts or ("",)
        if last != last.rstrip() and anthropic.blocks[-1]["type"] == "text":
            found.append(of_anthropic._replace(context_format=AT_THE_END, texts=(*before, last.rstrip())))
    return tuple(found)


def _sent(context_format: str, texts: tuple[str, ...], fixed_tokens: int, *, is_framed: bool) -> Difference:
    return Difference(context_format, _counted(texts), fixed_tokens, is_framed, is_named=False)


def _counted(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return *texts* without empty ones, which count nothing."""
    return tuple(filter(None, texts))


def _image_tokens(images: tuple[Part, ...]) -> int:
    return sum(image_part_tokens(part.get("image_url"), part.get("detail")) for part in images)


def _urls_tokens(urls: tuple[str | None, ...]) -> int:
    """Return the tokens of pictures in a format that knows no detail."""
    return sum(image_part_tokens(url, None) for url in urls)


def image_part_tokens(url: object, detail: object) -> int:
    """Return the tokens of a picture; at low detail the size is of no matter."""
    detail = detail if isinstance(detail, str) else "auto"
    size = (1, 1) if detail == "low" else data_url_size(url) if isinstance(url, str) else None
    return image_tokens(detail, *size) if size else image_bound()
