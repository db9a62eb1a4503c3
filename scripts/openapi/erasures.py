"""
What the erasing of a user answers, and its receipt.
"""

from scripts.openapi.shapes import COUNT, Schema, obj

HEX_64: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
COUNTS = ("conversations", "items", "bytes", "keys")
SIGNATURE: Schema = obj(
    {"algorithm": {"const": "HMAC-SHA256"}, "key_id": {"type": "string"}, "value": HEX_64},
    ("algorithm", "key_id", "value"),
)
RECEIPT: Schema = {
    "object": {"const": "erasure.receipt"},
    "id": {"type": "string"},
    "erased": {"enum": ["user", "tenant"]},
    "tenant": {"type": "string"},
    "subject_sha256": {**HEX_64, "description": "The SHA-256 of the name of who was erased"},
    **dict.fromkeys(COUNTS, COUNT),
    "begun_at": {**COUNT, "description": "By the store's clock, in Unix seconds"},
    "ended_at": COUNT,
    "deployment": {"type": "string"},
    "version": {"type": "string"},
    "signature": {"oneOf": [SIGNATURE, {"type": "null"}]},
    "unsigned": {"type": "string", "description": "Only of a receipt without a signature: why it has none"},
}

USER_ERASURE: Schema = {
    "object": {"const": "user.erasure"},
    "done": {"type": "boolean"},
    **dict.fromkeys(("conversations", "items", "bytes"), COUNT),
    "receipt": {
        "oneOf": [obj(RECEIPT, tuple(name for name in RECEIPT if name != "unsigned")), {"type": "null"}],
        "description": "null until it is done",
    },
}
