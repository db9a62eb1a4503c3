"""
The tables of the docs, in Markdown, each made from what it is a table of.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from scripts.licences.packages import ASKS, shipped
from scripts.openapi.headers import REQUESTS
from scripts.openapi.routes import routes
from shared.config import SETTINGS
from shared.context.explained import REASONS
from shared.errors import ServiceError
from shared.http.problems import INTERNAL_ERROR, METHOD_NOT_ALLOWED
from shared.problem_types import problem_types
from shared.request.parameters import (
    BOOLEAN,
    CHOICE,
    IDENTIFIER,
    IGNORED,
    INTEGER,
    JSON,
    MAP,
    NUMBER,
    REFUSED,
    Field,
)
from shared.request.roles import MEANINGS
from shared.routes import TENANT, Route
from shared.setting import AREAS, Setting
from shared.telemetry.metrics import METRICS, Kind


class UnknownTableError(ValueError):
    """There is no table of that name, or none of what it was asked for."""


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; a bar within a cell would end it."""
    head = list(header)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def routes_table() -> str:
    """Return every route: what it does, who may, and what the store charges."""
    return table(
        ("route", "what it does", "credential", "commands billed"),
        ((_named(route), route.text, _credential(route), route.billed) for route in routes()),
    )


def parameters_table(*names: str) -> str:
    """Return the parameters and members of the routes whose operations are called *names*; by route without names."""
    found = [route for route in routes() if not names or route.operation in names]
    if missing := set(names) - {route.operation for route in found}:
        raise UnknownTableError(f"there is no route {', '.join(sorted(missing))}")
    if names:
        fields = {field.name: (place, field) for route in found for place, field in _fields(route)}
        return _table_of(fields.values())
    return "\n\n".join(f"### {_named(route)}\n\n{_table_of(_fields(route))}" for route in found if [*_fields(route)])


NOTHING_CLOSED = "nothing is closed, and the default holds"


def settings_table() -> str:
    """Return every setting; one with several variables is read from the first that is set."""
    return table(
        ("variable", "default", "allowed", "meaning", "while it is wrong"),
        (
            (
                ", ".join(f"`{name}`" for name in setting.names(field)),
                "" if setting.default is None else str(setting.default),
                _allowed(setting),
                setting.text,
                AREAS.get(setting.closes, NOTHING_CLOSED),
            )
            for field, setting in SETTINGS.items()
        ),
    )


def problems_table() -> str:
    """Return every problem, by status."""
    raised = [(each.status, each.slug, _meaning(each)) for each in problem_types()]
    return table(
        ("problem", "status", "meaning"),
        (
            (f"`{slug}`", str(status), meaning)
            for status, slug, meaning in sorted([*raised, METHOD_NOT_ALLOWED, INTERNAL_ERROR])
        ),
    )


def headers_table() -> str:
    """Return the headers of requests that routes heed."""
    return table(
        ("header", "meaning", "heeded by"),
        (
            (
                f"`{name}`",
                header["description"],
                ", ".join(route.operation for route in routes() if name in route.headers),
            )
            for name, header in REQUESTS.items()
        ),
    )


def roles_table() -> str:
    """Return what a key of each role may do besides what those before it may."""
    return table(
        ("role", "what it adds", "requests"),
        ((f"`{role}`", text, ", ".join(_requests_of(role)) or "none") for role, text in MEANINGS.items()),
    )


def _requests_of(role: str) -> Iterator[str]:
    for route in routes():
        if route.role == role:
            yield _named(route)
        yield from (f"{_named(route)} with `{name}`" for name, more in route.role_with if more == role)


def permits_table() -> str:
    """Return what takes more than one permit."""
    rows = [(_named(route), str(route.permits)) for route in routes() if route.permits > 1]
    for route in routes():
        rows += [(f"{_named(route)} with `{name}`", str(permits)) for name, permits in route.permits_with]
    return table(("request", "permits"), rows)


def reasons_table() -> str:
    """Return why a unit of a conversation is in a context, or is not, by what becomes of it."""
    return table(
        ("reason", "state", "meaning"),
        ((f"`{name}`", ", ".join(f"`{state}`" for state in states), text) for name, (states, text) in REASONS.items()),
    )


def metrics_table() -> str:
    """Return every metric; a largest value is one of the last 10 to 20 minutes."""
    return table(
        ("metric", "kind", "labels besides `deployment`", "meaning"),
        (
            (
                f"`{metric.name}`",
                metric.kind.prometheus + (", largest lately" if metric.kind is Kind.LATELY else ""),
                ", ".join(f"`{label}`" for label in metric.labels),
                metric.text,
            )
            for metric in METRICS.values()
        ),
    )


def licences_table() -> str:
    """Return the packages that a deployment carries."""
    return table(
        ("package", "version", "licence", "texts that it brings"),
        (
            (each.name, each.version, each.licence, ", ".join(f"`{text}`" for text in each.texts) or "none: `NOTICE`")
            for each in shipped()
        ),
    )


def licence_terms_table() -> str:
    """Return what the licences of those packages ask for."""
    named = " ".join(each.licence for each in shipped())
    return table(
        ("licence", "what it asks"),
        ((name, asks) for name, asks in ASKS.items() if name in re.findall(r"[\w.-]+", named)),
    )


TABLES: dict[str, Callable[..., str]] = {
    "routes": routes_table,
    "parameters": parameters_table,
    "settings": settings_table,
    "problems": problems_table,
    "headers": headers_table,
    "permits": permits_table,
    "roles": roles_table,
    "reasons": reasons_table,
    "metrics": metrics_table,
    "licences": licences_table,
    "licence-terms": licence_terms_table,
}


def _named(route: Route) -> str:
    return f"`{route.method} {route.template}`"


def _credential(route: Route) -> str:
    if route.key == TENANT:
        return ", ".join([f"a key, `{route.role}`", *(f"`{role}` with `{name}`" for name, role in route.role_with)])
    if not route.key:
        return "none"
    return f"`${SETTINGS[f'{route.key}_secret'].variables[0]}`"


def _meaning(error: type[ServiceError]) -> str:
    return " ".join((error.__doc__ or "").split("\n\n", maxsplit=1)[0].split())


def _fields(route: Route) -> Iterator[tuple[str, Field]]:
    yield from (("query", field) for field in route.query)
    yield from (("body", field) for field in (route.body.fields if route.body else ()))


def _table_of(fields: Iterable[tuple[str, Field]]) -> str:
    return table(("parameter", "in", "allowed", "default", "meaning"), map(_row, _alike(fields)))


def _alike(fields: Iterable[tuple[str, Field]]) -> Iterator[list[tuple[str, Field]]]:
    """Yield *fields* one by one, but those together that are ignored for the same reason."""
    for _, alike in groupby(fields, lambda each: each[1].text if each[1].kind == IGNORED else each[1].name):
        yield list(alike)


def _row(alike: list[tuple[str, Field]]) -> tuple[str, ...]:
    place, field = alike[0]
    names = ", ".join(f"`{_shown_name(*each)}`" for each in alike)
    return names, place, _values(field), _default(field), field.text


def _shown_name(place: str, field: Field) -> str:
    return field.name + {IGNORED: "[]" if place == "query" else "", MAP: "[key]"}.get(field.kind, "")


def _values(field: Field) -> str:
    match field.kind:
        case kind if kind in (INTEGER, NUMBER):
            return f"{field.low:,} to {field.high:,}"
        case kind if kind == CHOICE:
            return ", ".join(f"`{each}`" for each in field.choices)
        case kind if kind == BOOLEAN:
            return "`true`, `false`"
        case kind if kind == IDENTIFIER:
            return "an id"
        case kind if kind == JSON:
            return "JSON"
        case kind if kind == IGNORED:
            return "anything"
        case kind if kind == REFUSED:
            return "`null`"
    return f"{field.low:,} to {field.high:,} characters" if field.high else "a string"


def _default(field: Field) -> str:
    if field.is_required:
        return "required"
    if field.kind == BOOLEAN:
        return "`false`"
    return f"`{field.default}`" if field.default not in (None, "") else ""


def _allowed(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(setting.choices)
    return f"{setting.low:,} to {setting.high:,}" if isinstance(setting.default, int | float) else ""
