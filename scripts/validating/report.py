"""
The report as Markdown: what was measured of each criterion, the risks, plots, what did not help, how to run it again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.validating.criteria import RISKS, Verdict
from scripts.validating.results import Document
from scripts.validating.rows import amount

LEARNINGS = Path(__file__).with_name("learnings.md")

JOINED_THROUGHPUT = {
    "throughput-joined": "on joined dialogues",
    "throughput-steady": "on these without cold starts",
    "throughput-long": "on conversations of 40,000 tokens",
}
"""Criteria of the same on other conversations, as the sentence on throughput names them."""


def report(document: Document, plots: Sequence[tuple[str, str]]) -> str:
    """Return the whole page. *plots*: a title and a file each, beside the page."""
    parts = ["# Validation report", _summary(document), _facts(document)]
    parts += ["## Criteria", _criteria(document), _honest(document)]
    parts += ["## Risks", _risks(document)]
    if plots:
        parts += ["## Plots", *(f"![{title}]({file})" for title, file in plots)]
    if document.get("parts"):
        parts += ["## What was run", _ran(document["parts"])]
    parts += ["## Learnings", LEARNINGS.read_text().strip(), "## Run it again", _again(document)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(document: Document) -> str:
    counts = {each: sum(row["verdict"] == each for row in document["rows"]) for each in Verdict}
    told = ", ".join(f"{count} {each}" for each, count in counts.items())
    text = f"**TL;DR** Of {len(document['rows'])} criteria: {told}. What is not met stands in the table as it is."
    if document["is_whole"]:
        return text
    reasons = {"Interrupted": document["partial"], "Failed, without a result": document["failed"]}
    cut = "".join(f" {why}: {', '.join(names)}." for why, names in reasons.items() if names)
    return f"**PARTIAL: something did not come to its end; this is what was measured.**{cut}\n\n{text}"


def _facts(document: Document) -> str:
    machine = document["machine"] or {}
    clean = "" if document["is_clean"] else ", with changes that are in no commit"
    rows = [
        ("commit", f"{document['commit']}{clean}"),
        ("form", document["form"]),
        ("seed", document["seed"]),
        ("begun", document["at"]),
        ("machine", _machine(machine)),
        ("Python", document["python"]),
    ]
    if len(document["commits"]) > 1:
        rows.append(("results of several commits", ", ".join(document["commits"])))
    return _table(["", ""], [(name, str(value)) for name, value in rows if value is not None])


def _machine(machine: Mapping[str, Any]) -> str | None:
    if not machine:
        return None
    return (
        f"{machine['processor']}, {machine['processors']} processors, {machine['memory_bytes'] / 1e9:.0f} GB, "
        f"{machine['system']}; load before: {machine['load_before']}"
    )


def _criteria(document: Document) -> str:
    rows = [
        (row["title"], row["target"], _measured(row), _verdict(row), row["beside"], f"`{row['command']}`")
        for row in document["rows"]
    ]
    return _table(["criterion", "target", "measured (95 % between)", "verdict", "beside it", "command"], rows)


def _measured(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "-"
    text = amount(row["value"], row["unit"])
    if row["low"] is None and row["high"] is None:
        return text
    low, high = ("?" if row[end] is None else amount(row[end], row["unit"]) for end in ("low", "high"))
    return f"{text} ({low} to {high})"


def _verdict(row: Mapping[str, Any]) -> str:
    return f"**{row['verdict']}**" + (", unsure: the target is within the interval" if row["is_unsure"] else "")


def _honest(document: Document) -> str:
    """Say what the throughput is worth, whichever design is ahead."""
    rows = {row["name"]: row["value"] for row in document["rows"]}
    plain, right = rows["throughput"], rows["throughput-right"]
    if plain is None:
        return ""
    ahead = "The naive design is ahead" if plain < 1 else "This design is ahead"
    text = (
        f"{ahead} by requests a CPU second: this one answers {plain:.2f} times as many. The naive one has no store to "
        "ask, and where it lost a history, or holds a wrong one, it has little to do."
    )
    if right is not None:
        text += f" By turns whose history was right it is {right:.2f} times"
        text += "".join(
            f", {where} {rows[name]:.2f} times" for name, where in JOINED_THROUGHPUT.items() if rows[name] is not None
        )
        text += "."
    return text


def _risks(document: Document) -> str:
    rows = {row["name"]: row for row in document["rows"]}
    lines = []
    for each, risk in zip(document["risks"], RISKS, strict=True):
        found = "; ".join(
            f"{rows[name]['title']}: {_measured(rows[name])}, {rows[name]['verdict']}" for name in risk.of
        )
        lines.append((f"{risk.title}. {risk.text}", found, f"**{each['verdict']}**"))
    return _table(["risk", "what was measured", "verdict"], lines)


def _ran(parts: Mapping[str, Any]) -> str:
    rows = [
        (f"`{each['command']}`", f"{each['seconds']:.0f}", str(each["status"]), "yes" if each["has_result"] else "no")
        for each in parts.values()
    ]
    total = sum(each["seconds"] for each in parts.values())
    return _table(["command", "seconds", "status", "result"], [*rows, ("in all", f"{total:.0f}", "", "")])


def _again(document: Document) -> str:
    seed = f" --seed {document['seed']}" if document["seed"] is not None else ""
    return (
        f"`scripts/validate{seed}` measures all of it anew, `scripts/validate --against FILE` says where another run's "
        "`validation.json` differs. The same seed gives the same schedule; times are those of the machine. Intervals "
        "are what chance alone makes of one run: of shares Wilson's over turns, of percentiles by ranks, of ratios the "
        "range over stretches of the trace, of slopes a block bootstrap. Where none is given, there is one sample."
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
