"""
Reading the lines of an import: a page of an export, checked as what a client appends is.

Nothing is believed that can be made anew: items are normalised, their extras read as a message would bring them, and
counts are not taken. What cannot is bounded: times, the running sum of tokens, which deleted items left gaps in.
"""

import re
from typing import Any, NamedTuple

import orjson

from shared.config import Settings
from shared.conversations.batch import Prepared, prepared
from shared.conversations.export_cursor import FIRST_HASH
from shared.conversations.export_lines import FORMAT, LINE, LINES_MAX, hash_of
from shared.conversations.summary_reading import FIRST_LINE
from shared.errors import InvalidValue, Malformed, kind_of, missing_value, wrong_value
from shared.items.normalize import normalize_item, write_metadata
from shared.jsonbytes.read import is_crowded, loads_elements
from shared.request.owners import NOBODY, Owners, read_owner
from shared.request.parameters import NAME_PATTERN

CONVERSATION_ID = re.compile("conv_[A-Za-z0-9_-]{1,59}")
MARK = re.compile(r"[0-9a-f]{1,32}\.\d{1,9}")
HASH = re.compile("[0-9a-f]{64}")
TIME_MAX, TOKENS_MAX, VERSION_MAX = 253_402_300_799, 10**12, 999_999_999
EXPIRY_S_MAX = 3_650 * 86_400
SUMMARY_CHARS_MAX = 100_000

type Json = dict[str, Any]


class Begun(NamedTuple):
    """What the first part says of the conversation; *metadata* is JSON. Times in Unix seconds, expiry 0 is never."""

    created_at_unix_s: int
    expiry_s: int
    metadata: str
    forked_from: str
    version: int
    owners: Owners = NOBODY


class Ended(NamedTuple):
    """
    What the last part says of all that there ever was, deleted items too: tokens and results that were appended, tokens
    that short forms saved; how many items and terms there were when the newest user message asked, "" for none; the id
    of the oldest item that may be recalled, "" for none.
    """

    written_tokens: int
    results: int
    saved_tokens: int
    asked_items: int | str
    asked_terms: int | str
    recalled_from: str


class Line(NamedTuple):
    """One of *what* the script takes: an item, the id of one that is gone, or a summary; *item* is what is counted."""

    what: str
    id: str
    item: Prepared | None = None
    at_unix_s: int | None = None
    tokens_before: int = 0
    through: str = ""


class Part(NamedTuple):
    """
    A page of an export, read. *begun* is there in the first. *digest* is its hash, *behind* that of the one before;
    *values*: what its lines say. *ended* is there in the last.
    """

    conversation_id: str
    begun: Begun | None
    lines: list[Line]
    behind: str
    digest: str
    values: list[Json]
    ended: Ended | None = None


def read_part(raw: bytes, settings: Settings) -> Part:
    """Return what *raw* says. Raises Malformed, InvalidValue, TooLarge: `param` names the line, counted from 0."""
    texts = raw.removesuffix(LINE).split(LINE)
    if len(texts) < 2:
        raise Malformed("An import is a page of an export: a line that begins it, lines, and a line that ends it.")
    if len(texts) > LINES_MAX + 2:
        raise InvalidValue(f"A part must have at most {LINES_MAX + 2} lines, not {len(texts)}.", param="body")
    values = [_value(text, f"lines[{index}]", settings) for index, text in enumerate(texts)]
    head, last, at_last = values[0], values[-1], f"lines[{len(values) - 1}]"
    if head.get("format") != FORMAT:
        raise InvalidValue(f"lines[0].format must be {FORMAT!r}.", param="lines[0].format")
    kind, behind = _choice(head, "type", "lines[0]", ("conversation", "page")), FIRST_HASH
    if kind == "page":
        behind = _matching(head, "behind", "lines[0]", HASH, "a hash")
    conversation_id = _matching(head, "id", "lines[0]", CONVERSATION_ID, "the id of a conversation")
    is_end = _choice(last, "type", at_last, ("more", "end")) == "end"
    digest = _matching(last, "sha256", at_last, HASH, "a hash")
    if digest != hash_of(behind, [text + LINE for text in texts[:-1]]):
        raise InvalidValue(
            f"{at_last}.sha256 is not the hash of these lines: something was lost or changed.",
            param=f"{at_last}.sha256",
            code="checksum_differs",
        )
    begun = _begun(head, settings) if kind == "conversation" else None
    lines = [_line(value, f"lines[{index}]", settings) for index, value in enumerate(values[1:-1], 1)]
    _check_ids(lines)
    ended = _ended(last, at_last) if is_end else None
    return Part(conversation_id, begun, lines, behind, digest, values, ended)


def _value(text: bytes, at: str, settings: Settings) -> Json:
    if is_crowded(text, 2 * settings.item_structure_max):
        raise InvalidValue(f"{at} has too many commas, colons and brackets.", param=at)
    try:
        value = loads_elements(text)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"{at} must be JSON: {error}.", param=at) from None
    if type(value) is not dict:
        raise wrong_value(at, "an object", kind_of(value))
    return value


def _begun(head: Json, settings: Settings) -> Begun:
    at = "lines[0]"
    forked_from = head.get("forked_from")
    if forked_from is not None:
        forked_from = _matching(head, "forked_from", at, CONVERSATION_ID, "the id of a conversation")
    expiry_s = 0
    if head.get("expires_after_s") is not None:
        expiry_s = _integer(head, "expires_after_s", at, EXPIRY_S_MAX)
    try:
        metadata = write_metadata(head.get("metadata"), settings.metadata_bytes_max)
    except InvalidValue as error:
        raise InvalidValue(f"{at}.{error.detail}", param=f"{at}.{error.param}") from None
    created_at, version = _integer(head, "created_at", at, TIME_MAX), _integer(head, "version", at, VERSION_MAX)
    named = ((name, head.get(name)) for name in Owners._fields)
    owners = Owners(*("" if value is None else read_owner(value, f"{at}.{name}") for name, value in named))
    return Begun(created_at, expiry_s, metadata, forked_from or "", version, owners)


def _ended(last: Json, at: str) -> Ended:
    written, results, saved = (
        _integer(last, name, at, TOKENS_MAX) for name in ("written_tokens", "results", "saved_tokens")
    )
    asked, oldest = last.get("asked"), ""
    if last.get("recalled_from") is not None:
        oldest = _matching(last, "recalled_from", at, NAME_PATTERN, "an id")
    if asked is None:
        return Ended(written, results, saved, "", "", oldest)
    if type(asked) is not dict:
        raise wrong_value(f"{at}.asked", "an object", kind_of(asked))
    items, terms = (_integer(asked, name, f"{at}.asked", VERSION_MAX) for name in ("items", "terms"))
    return Ended(written, results, saved, items, terms, oldest)


def _line(value: Json, at: str, settings: Settings) -> Line:
    match value.get("type"):
        case "item":
            return _item(value, at, settings)
        case "gone":
            return Line("gone", _matching(value, "id", at, NAME_PATTERN, "an id"))
        case "summary":
            return _summary(value, at, settings)
    raise wrong_value(f"{at}.type", "'item', 'gone' or 'summary'", kind_of(value.get("type")))


def _item(value: Json, at: str, settings: Settings) -> Line:
    normal = normalize_item(value.get("item"), _no_id, f"{at}.item")
    if not normal.given_id:
        raise missing_value(f"{at}.item.id")
    if (raw := value.get("extras")) is not None:
        from shared.items.dialects.checked import check_extras  # Few items have any.

        normal = normal._replace(extras=check_extras(normal.item, raw, f"{at}.extras"))
    if value.get("message") is not None:
        normal = normal._replace(message=_matching(value, "message", at, MARK, "the mark of a message"))
    created_at = None if value.get("created_at") is None else _integer(value, "created_at", at, TIME_MAX)
    before = _integer(value, "tokens_before", at, TOKENS_MAX)
    return Line("item", normal.id, prepared(normal, settings), created_at, before)


def _summary(value: Json, at: str, settings: Settings) -> Line:
    note_id, through = (_matching(value, name, at, NAME_PATTERN, "an id") for name in ("id", "through"))
    text = value.get("text")
    if type(text) is not str or not 1 <= len(text) <= SUMMARY_CHARS_MAX:
        raise wrong_value(f"{at}.text", f"a text of 1 to {SUMMARY_CHARS_MAX} characters", kind_of(text))
    normal = normalize_item({"id": note_id, "role": "user", "content": FIRST_LINE + text}, _no_id, f"{at}.text")
    made_at = _integer(value, "created_at", at, TIME_MAX)
    return Line("summary", note_id, prepared(normal, settings), made_at, through=through)


def _no_id(_prefix: str) -> str:
    return ""


def _check_ids(lines: list[Line]) -> None:
    seen: dict[str, int] = {}
    for index, line in enumerate(lines, 1):
        first = seen.setdefault(line.id, index)
        if first != index:
            raise InvalidValue(f"lines[{index}] has the id of lines[{first}].", param=f"lines[{index}]")


def _choice(value: Json, name: str, at: str, choices: tuple[str, ...]) -> str:
    given = value.get(name)
    if given not in choices:
        raise wrong_value(f"{at}.{name}", " or ".join(map(repr, choices)), kind_of(given))
    return str(given)


def _matching(value: Json, name: str, at: str, pattern: re.Pattern[str], expected: str) -> str:
    given = value.get(name)
    if type(given) is not str or pattern.fullmatch(given) is None:
        raise wrong_value(f"{at}.{name}", expected, kind_of(given) if type(given) is not str else "another text")
    return given


def _integer(value: Json, name: str, at: str, most: int) -> int:
    given = value.get(name)
    if type(given) is not int or not 0 <= given <= most:
        raise wrong_value(f"{at}.{name}", f"an integer from 0 to {most}", kind_of(given))
    return given
