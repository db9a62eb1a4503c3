"""
Declared parameters and bodies as JSON Schema.
"""

from scripts.openapi.named import NAMED
from scripts.openapi.shapes import NULL, Schema, obj, optional, scalar
from shared.context.wanted import BESIDE_ITEMS
from shared.request.parameters import IGNORED, MAP, REFUSED, UNREAD, Field
from shared.routes import Body, Form

OBJECTS = {"beside_items": Body(BESIDE_ITEMS)}
"""What members are that are objects of declared fields."""


def schema_of(field: Field) -> Schema:
    """Return what the value of *field* may be, where there is one."""
    if field.schema in OBJECTS:
        return body_schema(OBJECTS[field.schema])
    return NAMED[field.schema] if field.schema else scalar(field)


def _default(field: Field) -> Schema:
    return {} if field.default in (None, "") else {"default": field.default}


def parameter(field: Field, place: str) -> Schema:
    """Return *field* as a parameter of a path or a query."""
    name = f"{field.name}[]" if field.kind == IGNORED else field.name
    schema = schema_of(field) | _default(field)
    made = {"name": name, "in": place, "schema": schema, "required": place == "path", "description": field.text}
    return made | ({"style": "deepObject", "explode": True} if field.kind == MAP else {})


def body_schema(body: Body) -> Schema:
    """Return what a body may be."""
    if body.schema:
        return NAMED[body.schema]
    if not body.forms:
        return _form(body, Form(tuple(field.name for field in body.fields if field.is_required)))
    return {"anyOf": [_form(body, form) for form in body.forms]}


def _form(body: Body, form: Form) -> Schema:
    members, own = {}, dict(form.schemas)
    for field in body.fields:
        field = field._replace(schema=own.get(field.name, field.schema))
        if field.name in form.null:
            members[field.name] = NULL
        elif field.kind in UNREAD and field.name not in form.without:
            members[field.name] = {"description": field.text, **(NULL if field.kind == REFUSED else {})}
        elif field.kind not in UNREAD and field.name not in form.without:
            takes_null = field.is_nullable and (field.is_required or field.null is not None)
            is_there = field.name in form.required and not takes_null
            schema = schema_of(field) if is_there or not field.is_nullable else optional(schema_of(field))
            members[field.name] = {"description": field.text, **schema, **_default(field)}
    return obj(members, form.required)
