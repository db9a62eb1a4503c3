"""
What a route is, as a value: it is declared once, in the file of api/ that serves it.

    Route(...) -> shared/http/serving.py reads requests by it and refuses what it does not know
               -> scripts/openapi writes the OpenAPI document from it
               -> scripts/docs writes the tables of routes and parameters from it
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from shared.errors import ServiceError
from shared.request.parameters import UNREAD, Field
from shared.request.roles import ROLES, highest
from shared.setting import EVERYTHING

FRESHNESS = ("Cache-Control", "Warmthread-Min-Version")
"""Headers of requests for what an instance may hold."""

READ = (*FRESHNESS, "If-None-Match")
CREATE = ("Idempotency-Key", "x-stainless-retry-count")
WRITE = (*CREATE, "If-Match")

JSON_TYPE, LINES = "application/json", "application/x-ndjson"
"""What bodies are."""

TENANT = "key"
"""The credential of a route that tenants call, with their key; the others have a secret of Settings, or nothing."""


class Form(NamedTuple):
    """
    One way to fill a body in: some members have to be there, some may only be null, some not even that. *schemas*: what
    members are in this form, by their names, where it is not what their declarations say.
    """

    required: tuple[str, ...]
    null: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    schemas: tuple[tuple[str, str], ...] = ()


class Body(NamedTuple):
    """
    A JSON object of *fields*. *forms*: what is right together; none: whatever has the required fields.

    *bytes_max*: how large it may be, 0 for Settings.body_bytes_max. *schema* instead of *fields*: the handler gets all
    of it as `body`, and the schema of that name says what it may be. *media_type*: what it is sent as; where that is no
    JSON, such as LINES of it, the handler gets the bytes. *is_document*: it is what a document consists of, of any
    type; Settings.document_bytes_max says how many.
    """

    fields: tuple[Field, ...] = ()
    forms: tuple[Form, ...] = ()
    bytes_max: int = 0
    schema: str = ""
    media_type: str = JSON_TYPE
    is_document: bool = False

    @property
    def is_raw(self) -> bool:
        """Whether the handler gets the bytes as they came."""
        return self.is_document or self.media_type != JSON_TYPE

    @property
    def is_whole(self) -> bool:
        """Whether the handler gets all of it as `body`."""
        return self.schema != "" or self.is_raw


class Route(NamedTuple):
    """
    A method of a path. *title* says what it does in few words, *text* all of it (Markdown), *billed* the commands that
    the store charges for.

    *handler* takes the request as it was read (shared/http/serving.py), and each of *ids*, *query* and *body*'s fields
    by its name. *answer*: the name of what it gives (scripts/openapi/answers.py). *headers*: what it heeds of the
    request's; *answered*: what its answers say besides what follows from that. *refuses*: errors besides those that
    follow from the rest. *key*: the credential, TENANT, or the setting `<key>_secret`, or "" for none. *role*: what a
    tenant's key has to have at least (shared/request/roles.py); a route that names none does not load.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    title: str
    text: str
    answer: str
    ids: tuple[Field, ...] = ()
    query: tuple[Field, ...] = ()
    body: Body | None = None
    headers: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    refuses: tuple[type[ServiceError], ...] = ()
    key: str = TENANT
    role: str = ""
    role_with: tuple[tuple[str, str], ...] = ()
    """Parameters or members of the body with which, where they are true, it takes so much instead."""
    billed: str = ""
    needs: tuple[str, ...] = ()
    """Areas of settings (shared/setting.py) besides those that follow from the rest."""
    name: str = ""
    """Of the operation; that of the handler by default."""
    is_confirmed_first: bool = False
    """No script does the work, so one confirms the key before anything is done for a stranger."""
    is_prepared: bool = False
    """Its body is checked and counted before the script runs: not for a key that was never confirmed here."""
    memory: str = ""
    """What OpenTelemetry's conventions call it, of the operations of a memory; "" for none of them."""
    permits: int = 1
    """How many permits of the tenant's rate it takes, by what its script costs at its worst."""
    permits_with: tuple[tuple[str, int], ...] = ()
    """Query parameters with which it takes so many instead."""

    @property
    def operation(self) -> str:
        return self.name or self.handler.__name__.rstrip("_")

    def weight(self, names: Iterable[str]) -> int:
        """Return how many permits a request takes whose query has parameters of these *names*."""
        if not self.permits_with:
            return self.permits
        heavy = dict(self.permits_with)
        found = [heavy[field.name] for field in self.query if field.name in heavy and any(map(field.has_name, names))]
        return max([self.permits, *found])

    def role_for(self, values: Mapping[str, Any]) -> str:
        """Return the role that a request takes at least whose parameters and members are *values*."""
        return highest(self.role, *(role for name, role in self.role_with if values.get(name)))

    @property
    def template(self) -> str:
        """The path with its parameters in braces."""
        return self.path.replace(":path}", "}")

    @property
    def areas(self) -> frozenset[str]:
        """The areas of settings without which it is closed."""
        found = {EVERYTHING, *self.needs, "tenants" if self.key == TENANT else self.key}
        if self.body is not None:
            found.add("bodies")
        if "Idempotency-Key" in self.headers:
            found.add("writes")
        if self.path.startswith("/v1/conversations"):
            found.add("conversations")
        return frozenset(found - {""})

    def argument_names(self) -> list[str]:
        """Return the names of what the handler gets."""
        members = self.body.fields if self.body else ()
        names = [field.name for field in (*self.ids, *self.query, *members) if field.kind not in UNREAD]
        return [*names, "body"] if self.body and self.body.is_whole else names


TAKES_ANY = 0x08
"""The flag of a function with `**values`."""


def check_route(route: Route) -> None:
    """
    Raise TypeError where declaration and handler differ, or nothing says who may: better when a function is loaded than
    at a request.
    """
    code, names = route.handler.__code__, route.argument_names()
    taken, declared = set(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]), set(names)
    wrong = taken - declared if code.co_flags & TAKES_ANY else taken ^ declared
    in_path = {part.strip("{}").removesuffix(":path") for part in route.path.split("/") if part.startswith("{")}
    wrong |= in_path ^ {field.name for field in route.ids}
    if wrong or len(declared) < len(names):
        raise TypeError(f"{route.operation}: path, declaration and handler differ: {sorted(wrong) or names}")
    roles = {route.role, *(role for _, role in route.role_with)}
    if roles - set(ROLES) if route.key == TENANT else roles != {""}:
        raise TypeError(f"{route.operation}: a tenant's key has a role, one of {', '.join(ROLES)}; no other has any")
    if unknown := {name for name, _ in route.role_with} - declared:
        raise TypeError(f"{route.operation}: there is nothing of the name {', '.join(unknown)}")
