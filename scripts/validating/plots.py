"""
The plots of a report, as SVG: the same results make the same bytes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.proving.load.plan import NAIVE, OURS
from scripts.validating.results import Results, look

STYLE = {
    "svg.hashsalt": "warmthread",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
"""The font is matplotlib's own, and drawn as paths: what is installed changes nothing."""

OUR_COLOUR, NAIVE_COLOUR, MARK = "#1f6f8b", "#d1603d", "#777777"
WIDTH, HEIGHT = 7.5, 2.6
TARGET_MS = 250.0

type Draw = Callable[[Results], Figure | None]


def hits(results: Results) -> Figure | None:
    speeds = _speeds(results)
    if not speeds:
        return None
    figure, rows = _figure(len(speeds))
    for axes, (speed, designs) in zip(rows, speeds, strict=True):
        ours = designs[OURS]["timeline"]
        _line(axes, ours, "total", OUR_COLOUR, "histories right")
        _line(axes, ours, "l1", OUR_COLOUR, "entries from L1", style="--")
        if NAIVE in designs:
            _line(axes, designs[NAIVE]["timeline"], "total", NAIVE_COLOUR, "baseline, histories right")
        cold = [each["at_s"] for each in ours if each["cold_starts"]]
        axes.plot(cold, [-0.06] * len(cold), "v", color=MARK, markersize=4, label="cold start")
        axes.set(title=f"{speed} times the trace", xlabel="seconds", ylabel="share", ylim=(-0.12, 1.05))
    _legend(rows[0])
    return figure


def latency(results: Results) -> Figure | None:
    speeds = [(speed, designs) for speed, designs in _speeds(results) if designs[OURS]["curve_ms"]]
    if not speeds:
        return None
    figure, rows = _figure(len(speeds))
    for axes, (speed, designs) in zip(rows, speeds, strict=True):
        for design, colour in ((OURS, OUR_COLOUR), (NAIVE, NAIVE_COLOUR)):
            curve = look(designs, f"{design}.curve_ms")
            if curve:
                axes.plot([value for _, value in curve], [share for share, _ in curve], color=colour, label=design)
        axes.axhline(0.95, color=MARK, linewidth=0.8, linestyle=":")
        axes.set(title=f"a turn at {speed} times the trace", xlabel="ms", ylabel="share of turns", xscale="log")
    _legend(rows[0])
    return figure


def memory(results: Results) -> Figure | None:
    series: dict[str, list[tuple[float, float]]] = {}
    for sample in look(results, "soak.series") or []:
        for each in sample["instances"]:
            if each["lasts"] or each.get("leaks"):
                name = each["name"] + (", a leak planted" if each.get("leaks") else "")
                series.setdefault(name, []).append((each["requests"], each["resident_bytes"] / 1e6))
    if not series:
        return None
    figure, [axes] = _figure(1)
    for number, (name, points) in enumerate(sorted(series.items())):
        axes.plot(*zip(*points, strict=True), label=name, linestyle=("-", "--", ":", "-.")[number % 4])
    axes.set(title="instances that live through the soak", xlabel="requests", ylabel="resident MB")
    axes.set_ylim(bottom=0)
    _legend(axes)
    return figure


def throughput(results: Results) -> Figure | None:
    found = look(results, "load.saturation") or {}
    if not any(each["steps"] for each in found.values()):
        return None
    figure, [axes] = _figure(1)
    for design, colour in ((OURS, OUR_COLOUR), (NAIVE, NAIVE_COLOUR)):
        steps = sorted(look(found, f"{design}.steps") or [], key=lambda each: float(each["turns_s"]))
        offered, p95 = [each["turns_s"] for each in steps], [max(1.0, each["p95_ms"]) for each in steps]
        axes.plot(offered, p95, "o-", color=colour, label=design)
        wrong = [(each["turns_s"], max(1.0, each["p95_ms"])) for each in steps if each["errors"]]
        if wrong:
            axes.plot(*zip(*wrong, strict=True), "x", color="black", label="with errors")
    axes.axhline(TARGET_MS, color=MARK, linewidth=0.8, linestyle=":")
    axes.set(title="offered load", xlabel="turns a second", ylabel="p95 of a turn, ms", yscale="log")
    _legend(axes)
    return figure


def cost(results: Results) -> Figure | None:
    designs = look(results, "cost.designs") or {}
    if not designs:
        return None
    lines = list(reversed(list(next(iter(designs.values()))["usd_million"])))
    figure, [axes] = _figure(1, 3.4)
    for number, (design, colour) in enumerate(((OURS, OUR_COLOUR), (NAIVE, NAIVE_COLOUR))):
        found = look(designs, f"{design}.usd_million")
        if found:
            at = [place + 0.2 - 0.4 * number for place in range(len(lines))]
            axes.barh(at, [found[line] for line in lines], height=0.38, color=colour, label=design)
    axes.set_yticks(range(len(lines)), lines)
    axes.set(title="cost", xlabel="USD per million requests")
    _legend(axes)
    return figure


PLOTS: tuple[tuple[str, str, Draw], ...] = (
    ("Hit rate over time, with cold starts", "hits.svg", hits),
    ("Latency of a turn", "latency.svg", latency),
    ("Memory over a compressed week", "memory.svg", memory),
    ("Latency against offered load", "throughput.svg", throughput),
    ("Cost of a million requests", "cost.svg", cost),
)


def write_plots(results: Results, folder: Path) -> list[tuple[str, str]]:
    """Draw what *results* have something for; return title and file of each. What is not drawn is removed."""
    made = []
    for title, name, draw in PLOTS:
        with rc_context(STYLE):  # type: ignore[arg-type]  # its keys are a Literal of all there are.
            figure = draw(results)
            (folder / name).unlink(missing_ok=True)
            if figure is None:
                continue
            figure.savefig(folder / name, metadata={"Date": None, "Creator": None})
        made.append((title, name))
    return made


def _speeds(results: Results) -> list[tuple[str, Any]]:
    speeds = look(results, "load.speeds") or {}
    return [(speed, found["designs"]) for speed, found in speeds.items() if OURS in found["designs"]]


def _figure(rows: int, height: float = HEIGHT) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    return figure, figure.subplots(rows, 1, squeeze=False)[:, 0].tolist()


def _line(axes: Axes, rows: Sequence[Any], name: str, colour: str, label: str, style: str = "-") -> None:
    points = [(each["at_s"], each[name]) for each in rows if each[name] is not None]
    if points:
        axes.plot(*zip(*points, strict=True), color=colour, linestyle=style, label=label)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="best")
