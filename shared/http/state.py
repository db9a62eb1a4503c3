"""
What the requests of one instance share, and the request that knows of it.
"""

from typing import TYPE_CHECKING, TypedDict

from starlette.requests import Request as StarletteRequest

from shared.config import Settings
from shared.conversations.history import History
from shared.documents.documents import Documents
from shared.http.pace import Pace
from shared.process.ending import Ending
from shared.process.garbage import Upkeep
from shared.process.memory import Pressure
from shared.process.pool import Pool
from shared.request.concurrency import Slots
from shared.request.deadline import Deadlines
from shared.request.permits import Permits
from shared.setting import Wrong
from shared.store.upstash import Store
from shared.telemetry.telemetry import Telemetry
from shared.tokens.counter import Counter

if TYPE_CHECKING:
    from shared.telemetry.otlp import Exporter


class State(TypedDict):
    """What the requests of one instance share."""

    settings: Settings
    wrong: tuple[Wrong, ...]
    store: Store
    pool: Pool
    counter: Counter
    history: History
    permits: Permits
    documents: Documents
    deadlines: Deadlines
    pressure: Pressure
    slots: Slots
    pace: Pace
    upkeep: Upkeep
    telemetry: Telemetry
    ending: Ending
    spans: "Exporter | None"


Request = StarletteRequest[State]
