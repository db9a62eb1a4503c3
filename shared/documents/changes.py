"""
Change notices: which documents a body says have changed.

    {"changes": [{"path": "acme/a.txt"}, …]}               ours; paths as in the object store
    {"source": "aws.s3", "detail": {"bucket", "object"}}   an S3 event, as EventBridge sends it

A notice says that something changed, never what is true now: events overtake each other, so the source is asked.
"""

from collections.abc import Mapping
from typing import Any

from shared.documents.shelf import Shelf
from shared.errors import InvalidValue, TooLarge, wrong_kind
from shared.items.document_paths import PATH_BYTES_MAX, Place, read_object_path

S3 = "aws.s3"
CHANGES = frozenset({"Object Created", "Object Deleted", "Object Restore Completed", "Object Restore Expired"})
"""What may have changed an object's content. Other events of the bucket are taken, and change nothing: what is refused
is sent again, or kept as undeliverable. Keys are as in the bucket, not encoded for URLs, unlike those of S3's older
notifications. Source: Amazon S3 User Guide, "EventBridge event message structure" and "Using EventBridge"."""


def read_changes(body: Mapping[str, Any], bucket: tuple[str, str], changes_max: int) -> list[Place]:
    """
    Return the places that *body* reports; *bucket* and prefix are those that documents come from.

    Raises:   InvalidValue, which names the field; TooLarge: more than *changes_max*.
    """
    if body.get("source") == S3:
        return _read_event(body, bucket)
    for name in body:
        if name != "changes":
            raise InvalidValue(f"There is no field {name[:64]!r} here; known is changes.", param=name[:64])
    changes = body.get("changes")
    if not isinstance(changes, list):
        raise wrong_kind("changes", "a list", changes)
    if len(changes) > changes_max:
        raise TooLarge(f"changes must hold at most {changes_max} paths, not {len(changes)}.", param="changes")
    places = []
    for index, change in enumerate(changes):
        param = f"changes[{index}].path"
        path = change.get("path") if isinstance(change, dict) else None
        if not isinstance(path, str):
            raise wrong_kind(param, "a string", path)
        places.append(read_object_path(path, param))
    return list(dict.fromkeys(places))


def _read_event(body: Mapping[str, Any], bucket: tuple[str, str]) -> list[Place]:
    kind = body.get("detail-type")
    if not isinstance(kind, str):
        raise wrong_kind("detail-type", "a string", kind)
    # A rule may report more than changes; what CloudTrail sends as S3's, for instance, names no object.
    if kind not in CHANGES:
        return []
    detail = body.get("detail")
    if not isinstance(detail, dict):
        raise wrong_kind("detail", "an object", detail)
    names = []
    for outer, inner in (("bucket", "name"), ("object", "key")):
        member = detail.get(outer)
        value = member.get(inner) if isinstance(member, dict) else None
        if not isinstance(value, str):
            raise wrong_kind(f"detail.{outer}.{inner}", "a string", value)
        names.append(value)
    [name, key], prefix = names, f"{bucket[1]}/" if bucket[1] else ""
    # The bucket may hold more than documents.
    if name != bucket[0] or not key.startswith(prefix) or len(key.encode()) > PATH_BYTES_MAX:
        return []
    try:
        return [read_object_path(key.removeprefix(prefix), "detail.object.key")]
    except InvalidValue:
        return []  # No document can have this name.


async def report(shelf: Shelf, places: list[Place]) -> int:
    """Declare what is kept of *places* outdated; return of how many something is. Raises StoreUnavailable."""
    paths: dict[str, list[str]] = {}
    for place in places:
        paths.setdefault(place.scope, []).append(place.path)
    return sum([await shelf.notice(scope, some) for scope, some in paths.items()])
