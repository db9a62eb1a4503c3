"""Transcripts that are right, and for each rule some that are wrong for that alone."""

from collections.abc import Sequence
from typing import Any

RIGHT: Sequence[dict[str, Any]] = [
    {"text": ""},
    {"text": "system: Be brief.\n\nuser (bob): Hello\n\nassistant (call c1): f({})\n\ntool (c1): 🙂"},
    {"text": "assistant:"},
]

WRONG: Sequence[tuple[str, dict[str, Any]]] = [
    ("known-fields", {"text": "user: a", "messages": []}),
    ("required-fields", {}),
    ("no-nulls", {"text": None}),
    ("field-types", {"text": ["user: a"]}),
    ("no-torn-characters", {"text": "user: \ud83d"}),
    ("begins-with-a-speaker", {"text": "Hello"}),
    ("begins-with-a-speaker", {"text": "user (a\nb): Hello"}),
]
