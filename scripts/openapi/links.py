"""
Links in the OpenAPI document: which operations go on from an answer, and with what of it.
"""

from scripts.openapi.shapes import Schema

CONVERSATION = {"conversation_id": "$response.body#/id"}
SAME = {"conversation_id": "$request.path.conversation_id"}
FIRST = {**SAME, "item_id": "$response.body#/data/0/id"}
RESERVATION = {"reservation_id": "$response.body#/id"}

ON_CONVERSATION = ("retrieve", "update", "append", "items", "context", "context_for_call", "fork", "compact", "delete")

LINKS: dict[str, dict[str, dict[str, str]]] = {
    "create": dict.fromkeys(ON_CONVERSATION, CONVERSATION),
    "fork": dict.fromkeys(("retrieve", "items", "context", "append", "delete"), CONVERSATION),
    "append": {**dict.fromkeys(("item", "delete_item"), FIRST), **dict.fromkeys(("items", "context", "compact"), SAME)},
    "delete_item": dict.fromkeys(("items", "context", "compact"), SAME),
    "summarise": dict.fromkeys(("summary", "delete_summary", "context"), SAME),
    "delete_summary": dict.fromkeys(("summary", "context"), SAME),
    "delete": dict.fromkeys(("retrieve", "items", "context", "append"), SAME),
    "reserve": dict.fromkeys(("settle", "release"), RESERVATION),
    "settle": {"release": {"reservation_id": "$request.path.reservation_id"}},
}
"""Operation -> operations that follow it, and their parameters."""


def add_links(paths: Schema) -> Schema:
    """Return *paths* with the links of their operations."""
    for methods in paths.values():
        for made in methods.values():
            if links := LINKS.get(made["operationId"]):
                made["responses"]["200"]["links"] = {
                    name: {"operationId": name, "parameters": parameters} for name, parameters in links.items()
                }
    return paths
