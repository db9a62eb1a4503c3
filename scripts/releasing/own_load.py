"""
What shadow load shows, apart from what callers do: by its own answers, those of one side beside those of the other.

Of a canary's requests nine in ten may be shadow load, of the stable's one in two. What it asks for takes another time
than what callers ask for, and is found in memory more often or less, so shares of all requests of both sides would
differ for that alone. Where shadow load was answered in an interval, its durations and hits are compared with each
other's, and those of the metrics, which are of both kinds, are not compared.

The percentiles are those of the stable's own shadow load before the interval: what all its requests take says nothing
of where a slowdown of these would show.
"""

from collections.abc import Mapping
from typing import Any

from scripts.releasing.checks import View
from scripts.releasing.reference import Reference
from scripts.releasing.samples import Sample

CHECKED = frozenset({"slow", "tail", "hits"})
"""Checks of which shadow load's answers tell all that there is to tell."""


class OwnLoad:
    """What was answered of it since the last interval that was weighed, and the stable's before that: `known`."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        self._known = Sample.from_json(kept) if kept else Sample()
        self._stable, self._canary = Sample(), Sample()

    def add(self, stable: Sample, canary: Sample) -> None:
        """Add what both sides answered since the last time."""
        self._stable, self._canary = self._stable + stable, self._canary + canary

    def take(self, view: View) -> View | None:
        """Return the interval of *view* as shadow load saw it, and begin the next; None: there was none in it."""
        stable, canary = self._stable, self._canary
        if not (stable.histograms or canary.histograms):
            return None
        reference = Reference(self._known, self._known)
        # Its answers do not tell the age of the instance: so many of them may have been first ones.
        starts = Sample(histograms={"cold_start": view.canary.histograms.get("cold_start", {})})
        self._known, self._stable, self._canary = self._known + stable, Sample(), Sample()
        return View(stable, canary + starts, reference, tells_age=False, policy=view.policy)

    def to_json(self) -> dict[str, Any]:
        return self._known.to_json()
