"""
What is kept or dropped together: a message, or a response with the outputs of its calls.

    made_unit       of a group's items: what it counts, and with which ids its calls are sent
    lone            of an item that is a unit by itself
    trimmed_tokens  what it counts less where it ends what is sent
"""

from collections.abc import Sequence
from typing import NamedTuple

from shared.context.call_ids import alias_of, call_id_of, is_alias
from shared.context.format_rules import ALIAS_TOKENS, FRAME_TOKENS, FormatRules, refused_by
from shared.context.groups import CALL, NOBODY, REASONING, Pairs
from shared.items.differences import AT_THE_END, GEMINI_NAME
from shared.items.item import Item


class Unit(NamedTuple):
    """
    What is kept or dropped together, by positions in the folded items.

    *members*: the group's items in log order, then the outputs of its calls in the order of the calls, or, where they
    came as messages, as they came; without what can never be sent. *last* is the largest of them.

    *tokens* counts them as messages. Of the items as they are, so that choosing need not go through them:
    *stored_tokens* and *hosted_tokens* are their sums; *is_text*: they are one message of one text; *mentions*: one of
    them mentions a document.

    *call_ids*: the ids that the group's calls are sent with, in order; none where all are their own. *open_calls*:
    which of these calls are unanswered. *answers*: which of the answered ones each output answers; none where they come
    in the order of the calls.
    """

    first: int
    last: int
    tokens: int
    members: tuple[int, ...]
    stored_tokens: int
    hosted_tokens: int
    is_text: bool
    mentions: bool
    call_ids: tuple[str, ...] = ()
    open_calls: tuple[int, ...] = ()
    answers: tuple[int, ...] = ()


def made_unit(items: Sequence[Item], pairs: Pairs, group: list[int], rules: FormatRules) -> Unit:
    """Make a unit of a group's sent positions. The group is one chat message, each output another."""
    if len(group) == 1 and pairs.partners[group[0]] != NOBODY:
        return _answered_call(items, pairs, group[0], rules)
    outputs = [output for at in group if (output := pairs.partners[at]) != NOBODY]
    # Providers take results in any order: that of the calls, unless they came as messages.
    in_order = sorted(outputs) if all(items[at].message for at in outputs) else outputs
    members = (*group, *in_order)
    head, answers = [items[at] for at in group], [items[at] for at in outputs]
    overhead_tokens = [item.overhead_tokens for item in head]
    answers_tokens = sum([item.overhead_tokens + item.content_tokens for item in answers])
    content_tokens = answers_tokens + sum([item.content_tokens for item in head])
    calls = [at for at, item in zip(group, head, strict=True) if item.kind == CALL]
    call_ids, difference = _call_ids(items, pairs, calls, rules) if calls else ((), 0)
    tokens = max(overhead_tokens) + content_tokens + difference
    if not calls and all(item.kind == REASONING for item in head if item.overhead_tokens):
        tokens = 0  # No format sends thoughts alone.
    return Unit(
        first=group[0],
        last=max(members),
        tokens=tokens,
        members=members,
        stored_tokens=sum(overhead_tokens) + content_tokens,
        hosted_tokens=sum([item.hosted_tokens for item in (*head, *answers)]),
        is_text=len(members) == 1 and head[0].is_text,
        mentions=any(item.documents for item in (*head, *answers)),
        call_ids=call_ids,
        open_calls=()
        if len(outputs) == len(calls)
        else tuple(index for index, at in enumerate(calls) if pairs.partners[at] == NOBODY),
        answers=() if in_order == outputs else tuple(map(outputs.index, in_order)),
    )


def _answered_call(items: Sequence[Item], pairs: Pairs, at: int, rules: FormatRules) -> Unit:
    """Return the same of one call and its output, which most groups are."""
    output = pairs.partners[at]
    call, answer = items[at], items[output]
    call_ids, difference = _call_ids(items, pairs, [at], rules)
    stored_tokens = call.overhead_tokens + call.content_tokens + answer.overhead_tokens + answer.content_tokens
    hosted_tokens = call.hosted_tokens + answer.hosted_tokens
    mentions = bool(call.documents or answer.documents)
    members = (at, output)
    return Unit(
        at, output, stored_tokens + difference, members, stored_tokens, hosted_tokens, False, mentions, call_ids
    )


def _call_ids(items: Sequence[Item], pairs: Pairs, calls: list[int], rules: FormatRules) -> tuple[tuple[str, ...], int]:
    """Return the ids that *calls* are sent with, () where all are their own, and by how much their tokens differ."""
    newest, partners, name = pairs.newest_calls, pairs.partners, rules.name
    call_ids: dict[int, str] = {}
    difference = 0
    for at in calls:
        call = items[at]
        call_id, output = call_id_of(call.pair_key), partners[at]
        is_own = call_id is None or (
            newest[call_id] == at
            and name not in refused_by(call_id)
            and (output == NOBODY or items[output].pair_key == call.pair_key)
            and (not is_alias(call_id) or call_id == alias_of(call))
        )
        if not is_own:
            call_ids[at] = alias_of(call)
        if output != NOBODY and items[output].overhead_tokens:
            label_tokens = items[output].label_tokens
            if rules.names_results:
                difference += _name_tokens(call) - label_tokens
            elif not is_own:
                difference += ALIAS_TOKENS - label_tokens
    if len(calls) > rules.calls_max > 0:
        called = sum(items[at].overhead_tokens > 0 for at in calls)
        difference += max(0, called - 1) // rules.calls_max * FRAME_TOKENS
    if not call_ids:
        return (), difference
    return tuple(call_ids.get(at) or call_id_of(items[at].pair_key) or "" for at in calls), difference


def _name_tokens(call: Item) -> int:
    """Return what the name of *call* counts where the format has its own."""
    return call.differences[GEMINI_NAME][1] if GEMINI_NAME in call.differences else call.label_tokens


def lone(at: int, item: Item, tokens: int) -> Unit:
    """Return the *item* at a position as a unit of its own, of *tokens* as a message."""
    stored_tokens = item.overhead_tokens + item.content_tokens
    return Unit(at, at, tokens, (at,), stored_tokens, item.hosted_tokens, item.is_text, bool(item.documents))


def trimmed_tokens(members: Sequence[Item]) -> int | None:
    """Return what a unit counts less where white space may not stand at its end, None where it has none there."""
    last = next((item for item in reversed(members) if item.overhead_tokens), None)
    if last is None or AT_THE_END not in last.differences:
        return None
    if not last.message and any(item.kind == CALL and item.overhead_tokens for item in members):
        return None  # Of what came as items, calls stand behind the texts.
    return last.overhead_tokens + last.content_tokens - sum(last.differences[AT_THE_END])
