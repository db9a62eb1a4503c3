"""
What requests may say: parameters of a path or a query, and members of a body, each declared once.

    LIMIT = integer("limit", 1, 100, "how many", default=20)
    read_query((AFTER, LIMIT), request.query_params) -> {"after": "", "limit": 20}

A declaration is what requests are read by, and what the OpenAPI document and the tables of the docs are made from.
Values that depend on each other are checked by whoever takes them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from shared.errors import InvalidValue, NotFound, kind_of, missing_value, one_of, quoted, shown, wrong_value
from shared.request.owners import CHARS_MAX as OWNER_CHARS_MAX
from shared.request.owners import read_owner

NAME = "[A-Za-z0-9_-]{1,64}"
"""Of conversations and items; what else is asked for cannot exist."""

NAME_PATTERN = re.compile(NAME)
DIGITS = re.compile("-?[0-9]{1,12}")
SHOWN_CHARS = 64
"""Of what callers wrote, as much stands in the answer."""

PLATFORM_PREFIXES = ("x-vercel-", "_vercel", "vcrr")
"""Vercel's own parameters: the protection bypass, share links, the side of a rolling release."""


class Field(NamedTuple):
    """
    One value of a request: *kind* says how it is read, *text* what it means (Markdown).

    *default* stands for what is absent. *low* and *high* bound a number, or the characters of a string. *of*: what a
    name is the name of. *schema*: which JSON Schema of scripts/openapi/shapes.py says what the kind does not.
    """

    name: str
    kind: str
    text: str
    default: Any = None
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()
    pattern: str = ""
    of: str = ""
    schema: str = ""
    is_required: bool = False
    is_nullable: bool = True
    """In a body, null stands for absence."""
    null: Any = None
    """What it stands for instead, where that is not None."""

    def has_name(self, name: str) -> bool:
        """Tell whether a query parameter of that *name* is this one."""
        if self.kind == MAP:
            # Behind `name[]` other APIs put elements of a list; it is no key here.
            return name.startswith(f"{self.name}[") and name.endswith("]") and not name.startswith(f"{self.name}[]")
        return name == self.name or (self.kind == IGNORED and name == f"{self.name}[]")


INTEGER, NUMBER, STRING, CHOICE, BOOLEAN = "integer", "number", "string", "choice", "boolean"
IDENTIFIER, JSON, MAP, IGNORED, REFUSED = "identifier", "json", "map", "ignored", "refused"
OWNER = "owner"
UNREAD = frozenset({IGNORED, REFUSED})
"""Kinds that no handler gets a value of."""


def integer(name: str, low: int, high: int, text: str, default: int | None = None, *, required: bool = False) -> Field:
    return Field(name, INTEGER, text, default, low, high, is_required=required, is_nullable=not required)


def number(name: str, low: int, high: int, text: str) -> Field:
    return Field(name, NUMBER, text, low=low, high=high)


def string(
    name: str,
    text: str,
    *,
    chars: tuple[int, int] = (0, 0),
    pattern: str = "",
    of: str = "",
    schema: str = "",
    required: bool = False,
) -> Field:
    """Declare a text of so many *chars*, (0, 0) for any, that matches *pattern*: then it is *of* what follows it."""
    low, high = chars
    return Field(name, STRING, text, None, low, high, (), pattern, of, schema, required, not required)


def identifier(name: str, of: str, text: str, *, required: bool = False) -> Field:
    """Declare the id of a conversation or an item; "" where none is given. One that cannot exist is a 404."""
    return Field(name, IDENTIFIER, text, "", of=of, is_required=required, is_nullable=not required)


def owner(name: str, text: str) -> Field:
    """Declare the name of a user or an agent."""
    return Field(name, OWNER, text, low=1, high=OWNER_CHARS_MAX)


def choice(name: str, choices: tuple[str, ...], text: str, default: str | None = None) -> Field:
    return Field(name, CHOICE, text, default, choices=choices, is_nullable=default is None)


def boolean(name: str, text: str) -> Field:
    """Declare what is false unless somebody says otherwise."""
    return Field(name, BOOLEAN, text, False, is_nullable=False)


def json(name: str, schema: str, text: str, *, required: bool = False, nullable: bool | None = None) -> Field:
    """Declare a member of a body that its use case checks."""
    is_nullable = not required if nullable is None else nullable
    return Field(name, JSON, text, schema=schema, is_required=required, is_nullable=is_nullable)


def pairs(name: str, schema: str, text: str) -> Field:
    """Declare parameters `name[key]=value`, read as a dictionary."""
    return Field(name, MAP, text, schema=schema)


def ignored(name: str, text: str) -> Field:
    """Declare parameters `name` and `name[]`, or a member, that clients may send; no handler gets them."""
    return Field(name, IGNORED, text)


def refused(name: str, text: str) -> Field:
    """Declare a member that may only be null, and why: better than that there is none of that name."""
    return Field(name, REFUSED, text)


def read_path(fields: Iterable[Field], values: dict[str, str]) -> dict[str, Any]:
    """Return the values of *fields* by name. Raises as `read_query`."""
    return {field.name: _read(field, values, is_text=True) for field in fields}


def read_query(fields: Sequence[Field], values: Mapping[str, str]) -> dict[str, Any]:
    """
    Return the values of *fields* by name.

    Raises:   InvalidValue: one is wrong, or there is a parameter that is none of *fields*: a misspelt budget must not
              be ignored. NotFound: an id that nothing can have.
    """
    given = dict(values)
    exact = {field.name for field in fields if field.kind != MAP}
    for name in given:
        is_known = name in exact or any(field.has_name(name) for field in fields)
        if not is_known and not name.startswith(PLATFORM_PREFIXES):
            raise InvalidValue(f"There is no query parameter {name[:SHOWN_CHARS]!r} here.", param=name[:SHOWN_CHARS])
    return {field.name: _read(field, given, is_text=True) for field in fields if field.kind not in UNREAD}


def read_members(fields: Iterable[Field], body: dict[str, Any]) -> dict[str, Any]:
    """Return the members of *body* that *fields* declare. Raises as `read_query`."""
    known = {field.name: field for field in fields}
    for name, value in body.items():
        if name not in known:
            names = ", ".join(sorted(name for name, field in known.items() if field.kind not in UNREAD))
            raise InvalidValue(
                f"There is no field {name[:SHOWN_CHARS]!r} here; known are {names}.", param=name[:SHOWN_CHARS]
            )
        if known[name].kind == REFUSED and value is not None:
            raise InvalidValue(f"{name} must not be there: {known[name].text}.", param=name)
    return {name: read_member(field, body) for name, field in known.items() if field.kind not in UNREAD}


def read_object(fields: Iterable[Field], value: object, name: str) -> dict[str, Any]:
    """Return the members that *fields* declare of *value*, which is called *name*. Raises as `read_members`."""
    if not isinstance(value, dict):
        raise wrong_value(name, "an object", kind_of(value))
    with within(name):
        return read_members(fields, value)


@contextmanager
def within(name: str) -> Iterator[None]:
    """Have what is refused of the members of *name* refused as parts of it: `context.budget`."""
    try:
        yield
    except InvalidValue as error:
        path, at = f"{name}.{error.param}", error.param or ""
        detail = error.detail
        detail = f"{name}.{detail}" if at and detail.startswith(at) else f"{name}: {detail}"
        raise InvalidValue(detail, param=path, code=error.code, **error.extensions) from None  # type: ignore[arg-type]


def read_member(field: Field, body: Mapping[str, Any]) -> Any:
    """Return one member of *body*. Raises as `read_query`."""
    return _read(field, body, is_text=False)


def _read(field: Field, values: Mapping[str, Any], *, is_text: bool) -> Any:
    value = values.get(field.name)
    if value is not None:
        return READERS[field.kind](field, value, is_text)
    if field.name in values and field.null is not None:
        return field.null
    if field.name in values and not field.is_nullable:
        return READERS[field.kind](field, None, is_text)
    if field.is_required and field.name not in values:
        raise missing_value(field.name)
    return field.default if field.kind != MAP else _pairs(field, values)


def _pairs(field: Field, values: Mapping[str, str]) -> dict[str, str]:
    start = len(field.name) + 1
    return {name[start:-1]: value for name, value in values.items() if field.has_name(name)}


def _got(value: Any, is_text: bool) -> str:
    """Return what came instead: of a query all is text, and only its words tell one from another."""
    return quoted(value) if is_text else kind_of(value)


def _digits(value: float) -> str:
    """Return a number, its beginning where it is long."""
    text = str(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


def _integer(field: Field, value: Any, is_text: bool) -> int:
    if is_text and DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one kind of number; 1.0 is an integer there.
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_value(field.name, "an integer", _got(value, is_text))
    if not field.low <= value <= field.high:
        bounds = f"from {field.low} to {field.high}"
        raise wrong_value(field.name, bounds, _digits(value), minimum=field.low, maximum=field.high)
    return value


def _number(field: Field, value: Any, is_text: bool) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not field.low <= value <= field.high:
        got = _digits(value) if is_number else _got(value, is_text)
        raise wrong_value(field.name, f"a number from {field.low} to {field.high}", got)
    return value  # type: ignore[no-any-return]  # it is one of the two.


def _string(field: Field, value: Any, is_text: bool) -> str:
    if not isinstance(value, str):
        raise wrong_value(field.name, "a string", kind_of(value))
    if field.high and not field.low <= len(value) <= field.high:
        raise InvalidValue(
            f"{field.name} must have {field.low} to {field.high} characters, not {len(value)}.", param=field.name
        )
    if field.pattern and re.fullmatch(field.pattern, value) is None:
        raise wrong_value(field.name, field.of, quoted(value))
    return value


def _identifier(field: Field, value: Any, is_text: bool) -> str:
    name = _string(field, value, is_text)
    if name and NAME_PATTERN.fullmatch(name) is None:
        raise NotFound(f"There is no {field.of} {name[:SHOWN_CHARS]!r}.", param=field.name)
    return name


def _choice(field: Field, value: Any, is_text: bool) -> str:
    if value not in field.choices:
        raise wrong_value(field.name, one_of(field.choices), shown(value))
    return str(value)


def _boolean(field: Field, value: Any, is_text: bool) -> bool:
    if value is True or (is_text and value in ("true", "1")):
        return True
    if value is False or (is_text and value in ("false", "0")):
        return False
    raise wrong_value(field.name, "true or false", _got(value, is_text))


def _owner(field: Field, value: Any, is_text: bool) -> str:
    return read_owner(value, field.name)


def _json(field: Field, value: Any, is_text: bool) -> Any:
    if value is None:
        raise InvalidValue(f"{field.name} must not be null.", param=field.name)
    return value


READERS: dict[str, Callable[[Field, Any, bool], Any]] = {
    INTEGER: _integer,
    NUMBER: _number,
    STRING: _string,
    IDENTIFIER: _identifier,
    CHOICE: _choice,
    BOOLEAN: _boolean,
    OWNER: _owner,
    JSON: _json,
}
"""What turns a value that is there into what handlers get, or refuses it."""
