"""
Items of what a body brings: its items as they are, or those that messages of another API make.

A message makes an item for each thing that items keep apart: what is said, each call, each answer, each thought. The
formats' own files are in dialects/, and imported by the first message in it.
"""

from collections.abc import Callable
from typing import Any

from shared.errors import InvalidValue, kind_of, wrong_value
from shared.items.given import Given
from shared.items.normalize import ITEMS_PER_BATCH_MAX, NormalItem, normalize_item, normalize_items


def normal_items(
    given: Given,
    new_id: Callable[[str], str],
    mark: str = "",
    *,
    allow_empty: bool = False,
    count_max: int = ITEMS_PER_BATCH_MAX,
) -> list[NormalItem]:
    """
    Return the items of one batch in order. *mark* tells its messages from those of other batches.

    The limit *count_max* is on the items that are made. *allow_empty*: there may be none, or a system prompt alone.

    Raises:   InvalidValue, whose `param` is e.g. `messages[3].content[0].type`; DuplicateItem.
    """
    value, field = given.value, given.field
    if not given.context_format:
        return normalize_items(value, new_id, path=field, allow_empty=allow_empty, count_max=count_max)
    if type(value) is not list:
        raise wrong_value(field, "a list", kind_of(value))
    if not value and not allow_empty:
        raise InvalidValue(f"{field} must hold at least one message.", param=field)
    if len(value) > count_max:
        raise InvalidValue(f"{field} must hold at most {count_max} messages, not {len(value)}.", param=field)
    dialect = _dialect(given.context_format)
    drafts = dialect.read_system(given.system, given.system_field) if given.system is not None else []
    drafts += dialect.read(value, field)
    if len(drafts) > count_max:
        raise InvalidValue(
            f"{field} must make at most {count_max} items, not {len(drafts)}: a message makes one for what it says, "
            "one for each call, each answer and each thought.",
            param=field,
            limit_items=count_max,
        )
    made = []
    for draft in drafts:
        normal = normalize_item(draft.item, new_id, draft.at)
        message = f"{mark}.{draft.message + 1}"
        made.append(normal._replace(extras=draft.extras, message=message, at=draft.at))
    return made


def _dialect(name: str) -> Any:
    match name:
        case "anthropic":
            from shared.items.dialects import anthropic

            return anthropic
        case "gemini":
            from shared.items.dialects import gemini

            return gemini
    from shared.items.dialects import chat

    return chat
