"""What stands beside items survives an export, and what no message could have left there is refused by an import."""

from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import InvalidValue
from shared.items.dialects import anthropic, chat, gemini
from shared.items.dialects.checked import check_extras
from shared.items.given import Given
from shared.items.messages import normal_items
from tests import dialogues_of_chat, dialogues_of_others
from tests.exports import lines_of, pages_of, restore

Json = dict[str, Any]
