"""
Grafana's JSON of a dashboard, made of what a person says of a panel: the question that it answers, queries, a unit.

Source: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

SCHEMA_VERSION = 39
"""Of Grafana 10.4; later ones bring it up to their own when they load it."""

COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED = "green", "yellow", "red"


class Unit(Enum):
    """Grafana's names of units."""

    SHARE = "percentunit"
    SECONDS = "s"
    BYTES = "bytes"
    COUNT = "short"
    PER_SECOND = "ops"
    USD = "currencyUSD"


class Query(NamedTuple):
    """*legend* names the lines by labels, `{{tier}}`."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """
    *title* is a question. *limits*: from which value on it is yellow or red, or not any more; a line is drawn there.
    *is_number*: one number instead of lines over time.
    """

    title: str
    text: str
    unit: Unit
    queries: Sequence[Query]
    limits: Mapping[float | None, str] = {}
    is_number: bool = False
    is_stacked: bool = False
    width: int = 12


class Price(NamedTuple):
    """What a person sets on the dashboard: a variable *name*, with a *default*."""

    name: str
    label: str
    default: str


class Board(NamedTuple):
    name: str
    title: str
    text: str
    panels: Sequence[Panel]
    prices: Sequence[Price] = ()


def as_json(board: Board) -> dict[str, Any]:
    """Return what Grafana imports."""
    return {
        "uid": f"warmthread-{board.name}",
        "title": f"Warmthread: {board.title}",
        "description": board.text,
        "tags": ["warmthread"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,  # The same moment is shown in all panels.
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [
            {"type": "dashboards", "tags": ["warmthread"], "title": "Warmthread", "asDropdown": False, "keepTime": True}
        ],
        "templating": {"list": list(_variables(board.prices))},
        "panels": list(_panels(board.panels)),
    }


def _variables(prices: Sequence[Price]) -> Iterator[dict[str, Any]]:
    yield {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "current": {}}
    yield {
        "type": "query",
        "name": "deployment",
        "label": "Deployment",
        "datasource": SOURCE,
        "query": {"query": "label_values(warmthread_requests_total, deployment)", "refId": "deployment"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }
    for price in prices:
        current = {"selected": True, "text": price.default, "value": price.default}
        yield {
            "type": "textbox",
            "name": price.name,
            "label": price.label,
            "query": price.default,
            "current": current,
            "options": [current],
        }


def _panels(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    """Place them from the left to the right, and a new row where there is no room."""
    left = top = row_height = 0
    for number, panel in enumerate(panels, start=1):
        height = 5 if panel.is_number else 8
        if left + panel.width > COLUMNS:
            left, top, row_height = 0, top + row_height, 0
        yield {
            "id": number,
            "type": "stat" if panel.is_number else "timeseries",
            "title": panel.title,
            "description": panel.text,
            "datasource": SOURCE,
            "gridPos": {"x": left, "y": top, "w": panel.width, "h": height},
            "targets": [
                {
                    "refId": chr(ord("A") + index),
                    "datasource": SOURCE,
                    "expr": query.expression,
                    "legendFormat": query.legend,
                    "instant": panel.is_number,
                    "range": not panel.is_number,
                }
                for index, query in enumerate(panel.queries)
            ],
            "fieldConfig": {"defaults": _look(panel), "overrides": []},
            "options": _options(panel),
        }
        left, row_height = left + panel.width, max(row_height, height)


def _look(panel: Panel) -> dict[str, Any]:
    limits = panel.limits or {None: GREEN}
    look: dict[str, Any] = {
        "unit": panel.unit.value,
        "min": 0,
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": color} for value, color in limits.items()],
        },
    }
    if panel.unit is Unit.SHARE:
        look["max"] = 1
    if not panel.is_number:
        look["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 30 if panel.is_stacked else 5,
            "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
            "showPoints": "never",
            "thresholdsStyle": {"mode": "dashed" if panel.limits else "off"},
        }
    return look


def _options(panel: Panel) -> dict[str, Any]:
    if panel.is_number:
        return {
            "colorMode": "value",
            "graphMode": "none",
            "textMode": "value_and_name" if len(panel.queries) > 1 else "value",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
