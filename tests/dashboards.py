"""What tests of the dashboard have in common: a conversation worth a look."""

import json
from pathlib import Path

DIALOGUE = json.loads((Path(__file__).parent / "data" / "tau_airline_12.jsonl").read_text().splitlines()[0])
AS_RECORDED = {"messages": DIALOGUE["messages"], "format": "chat", "metadata": {"title": "A flight"}}
"""The body that makes a conversation of a recorded dialogue."""
