"""A route is what its declaration says: what handlers get of a request, what is refused, what does not load."""

from typing import Any

import pytest
from starlette.responses import Response

from shared.app import create_app
from shared.errors import InvalidValue, NotFound, ServiceError
from shared.http.serving import Asked
from shared.request.parameters import (
    Field,
    boolean,
    choice,
    identifier,
    ignored,
    integer,
    json,
    number,
    pairs,
    read_members,
    read_query,
    string,
)
from shared.routes import Body, Route

ID = identifier("id", "item", "an id", required=True)
AFTER = identifier("after", "item", "an id")
LIMIT = integer("limit", 1, 100, "how many", default=20)
FORMAT = choice("format", ("a", "b"), "a shape", default="a")
FLAG = boolean("flag", "whether")
USD = number("usd", 0, 5, "money")
TEXT = string("text", "a text", chars=(1, 3))
CODE = string("code", "a code", pattern="[a-z]+", of="a code")
ANY = json("any", "items", "anything", nullable=False)
FIELDS = (AFTER, LIMIT, FORMAT, FLAG, ignored("include", "nothing"), pairs("metadata", "metadata", "those with it"))


def test_a_query_gives_every_declared_value_and_defaults_for_the_absent() -> None:
    assert read_query(FIELDS, {}) == {"after": "", "limit": 20, "format": "a", "flag": False, "metadata": {}}
    assert read_query(
        FIELDS, {"after": "msg_1", "limit": "7", "flag": "1", "include[]": "x", "metadata[a]b]": "c", "vcrr": "1"}
    ) == {"after": "msg_1", "limit": 7, "format": "a", "flag": True, "metadata": {"a]b": "c"}}


@pytest.mark.parametrize(
    ("query", "error", "param"),
    [
        ({"limit": "0"}, InvalidValue, "limit"),
        ({"limit": "--5"}, InvalidValue, "limit"),
        ({"limit": "5.0"}, InvalidValue, "limit"),
        ({"limit": ""}, InvalidValue, "limit"),
        ({"limit": "\u0663"}, InvalidValue, "limit"),
        ({"limit[]": "5"}, InvalidValue, "limit[]"),
        ({"format": "c"}, InvalidValue, "format"),
        ({"flag": "yes"}, InvalidValue, "flag"),
        ({"after": "not an id"}, NotFound, "after"),
        ({"metadata": "x"}, InvalidValue, "metadata"),
        ({"metadata[a": "x"}, InvalidValue, "metadata[a"),
        ({"befor": "x"}, InvalidValue, "befor"),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_name(query: dict[str, str], error: type[ServiceError], param: str) -> None:
    with pytest.raises(error) as refused:
        read_query(FIELDS, query)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        (LIMIT, 7, 7),
        (LIMIT, 7.0, 7),
        (LIMIT, None, 20),
        (AFTER, None, ""),
        (USD, 2, 2),
        (USD, 2.5, 2.5),
        (USD, None, None),
        (TEXT, "abc", "abc"),
        (CODE, "abc", "abc"),
        (FLAG, True, True),
        (ANY, [1], [1]),
        (json("any", "items", "anything"), None, None),
    ],
)
def test_a_member_of_a_body_is_read_by_its_kind(field: Field, value: Any, read: Any) -> None:
    assert read_members((field,), {field.name: value}) == {field.name: read}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (LIMIT, "7"),
        (LIMIT, 7.5),
        (LIMIT, True),
        (LIMIT, 101),
        (FORMAT, None),
        (FORMAT, ["a"]),
        (FLAG, "true"),
        (FLAG, 1),
        (FLAG, None),
        (USD, 6),
        (USD, True),
        (USD, "1"),
        (TEXT, ""),
        (TEXT, "abcd"),
        (TEXT, 7),
        (CODE, "A"),
        (ANY, None),
        (ID, None),
        (ID, 7),
    ],
)
def test_a_member_of_another_kind_is_refused_by_its_name(field: Field, value: Any) -> None:
    with pytest.raises(InvalidValue) as refused:
        read_members((field,), {field.name: value})
    assert refused.value.param == field.name


def test_what_is_required_is_missed_and_what_is_unknown_is_refused() -> None:
    with pytest.raises(InvalidValue, match="id is required"):
        read_members((ID,), {})
    with pytest.raises(InvalidValue, match="known are id, limit"):
        read_members((LIMIT, ID), {"id": "a", "limitt": 3})


async def takes_limit(asked: Asked, limit: int) -> Response:
    return Response(str(limit))


async def takes_all(asked: Asked, **values: Any) -> Response:
    return Response(str(values))


def route(handler: Any, path: str = "/x", **declared: Any) -> Route:
    return Route("GET", path, handler, "", "", "", **{"role": "read"} | declared)


@pytest.mark.parametrize(
    "wrong",
    [
        route(takes_limit),
        route(takes_limit, query=(LIMIT, AFTER)),
        route(takes_limit, query=(LIMIT,), body=Body(schema="notice")),
        route(takes_limit, query=(LIMIT, ID)),
        route(takes_all, "/x/{id}"),
        route(takes_all, ids=(ID,)),
        route(takes_limit, query=(LIMIT,), body=Body((LIMIT,))),
    ],
)
def test_a_handler_that_takes_something_else_than_its_route_declares_does_not_load(wrong: Route) -> None:
    with pytest.raises(TypeError):
        create_app([wrong])


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": ""},
        {"role": "reed"},
        {"role_with": (("limit", ""),)},
        {"role_with": (("limit", "all"),)},
        {"role_with": (("limits", "full"),)},
        {"key": "cron"},
        {"key": "", "role": "admin"},
        {"key": "cron", "role": "", "role_with": (("limit", "full"),)},
    ],
)
def test_a_route_that_does_not_say_which_role_it_takes_does_not_load(wrong: dict[str, Any]) -> None:
    right = route(takes_limit, query=(LIMIT,), role_with=(("limit", "full"),))

    assert create_app([right]).routes
    with pytest.raises(TypeError):
        create_app([right._replace(**({"role_with": ()} | wrong))])


def test_what_a_request_turns_out_to_be_may_take_more() -> None:
    some = route(takes_limit, query=(LIMIT,), role="append", role_with=(("limit", "admin"), ("limit", "read")))

    assert [some.role_for({"limit": limit}) for limit in (None, 0, 5)] == ["append", "append", "admin"]


def test_a_route_that_fits_its_handler_loads_but_not_twice() -> None:
    right = route(takes_limit, "/x", query=(LIMIT, ignored("include", "nothing")))

    assert len(create_app([right, right._replace(method="POST"), route(takes_all, "/x/{id}", ids=(ID,))]).routes) == 2
    with pytest.raises(TypeError, match="twice"):
        create_app([right, right])
