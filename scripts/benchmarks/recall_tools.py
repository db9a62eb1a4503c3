"""
A made conversation of an agent with tools, for `scripts/bench recall --tools`: what a tool told long ago is asked for
again, in other words.

Each fact is a call and its result among others of its kind: a booking number, a path, an error. Behind the facts come
200 calls with results of the same three kinds about other things; then each fact is asked for.
"""

import json
import random
from typing import Any, NamedTuple

CALLS_BETWEEN = 200


class Fact(NamedTuple):
    """What a tool is asked, what it answers, and a question to which *answer*, which stands in the result, is one."""

    kind: str
    tool: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    question: str
    answer: str


BOOKINGS = (
    ("hotel", "Hotel Aurora, Lisbon", "KX-4471", "What confirmation code did we get for our stay in Lisbon?"),
    ("flight", "Lufthansa LH1167 to Porto", "QT7ZPL", "Which reference do I show at the airport for Porto?"),
    ("train", "ICE 71 Basel to Hamburg", "8841-203", "I need the ticket number of the ride to Hamburg."),
    ("table", "Osteria Bartolini, Bologna", "R-55192", "Under what number is our dinner at Bartolini?"),
    ("car", "Fiat 500 at Palermo airport", "HZ-90417", "The rental desk in Palermo wants our reservation id."),
    ("museum", "Rijksmuseum, two adults", "RM-2231-7", "What do I tell the Rijksmuseum at the entrance?"),
    ("ferry", "Tallinn to Helsinki, cabin B", "EK-700518", "How is the crossing to Helsinki booked, which code?"),
    ("parking", "Garage Opéra, Lyon, 3 nights", "P-1908-LY", "The garage in Lyon asks which booking the car is on."),
)
PATHS = (
    ("quarterly revenue", "/srv/exports/2026/q3_revenue_final.csv", "Where did you put the revenue figures?"),
    ("customer churn model", "/home/ml/models/churn_v12.onnx", "In which file is the model for churn?"),
    ("nginx access log", "/var/log/nginx/access.log.14.gz", "Which file was the old access log of nginx in?"),
    ("invoice template", "/opt/billing/templates/invoice_de.tex", "Where is the template for invoices kept?"),
    ("migration of the orders table", "/repo/db/migrations/0083_orders_split.sql", "Which migration splits orders?"),
    ("backup of the wiki", "/mnt/backup/wiki-2026-10-02.tar.zst", "Where was it that the wiki is backed up?"),
    ("certificate of the gateway", "/etc/ssl/gateway/fullchain.pem", "Where does the gateway's certificate lie?"),
    ("notebook on pricing", "/home/ana/notebooks/pricing_sweep.ipynb", "Which notebook was the pricing one?"),
)
ERRORS = (
    (
        "payments",
        "E_CARD_DECLINED_51",
        "insufficient funds on the card",
        "What code did the payments service fail with?",
    ),
    ("search", "ES-429", "circuit_breaking_exception: data too large", "Why did search break back then, which code?"),
    ("mailer", "SMTP 452 4.2.2", "mailbox of the recipient is full", "What did the mailer say about the full mailbox?"),
    ("deploy", "ERR_OCI_MANIFEST_404", "image tag was never pushed", "With which error did the deploy stop?"),
    (
        "thumbnailer",
        "VIPS-77",
        "unsupported colour profile in photo",
        "What was wrong with the photo's thumbnail, by code?",
    ),
    ("ledger", "LDG-0019", "debit and credit differ by 0.03", "Which code stood at the ledger's difference?"),
    (
        "geocoder",
        "GEO_ZERO_RESULTS",
        "no match for Straße des 17. Juni 999",
        "What did the geocoder return for the Straße?",
    ),
    ("warehouse", "WH-LOCK-8", "bin A-113 is locked by a count", "What kept bin A-113 from being picked, which code?"),
)
NAMES = ("Vega", "Miro", "Quinta", "Solis", "Harbour", "Linden", "Corvo", "Tamar", "Elm", "Nadir", "Orchid", "Pell")
PLACES = ("Oslo", "Turin", "Gdansk", "Cork", "Ghent", "Split", "Malmo", "Graz", "Bern", "Faro", "Nantes", "Leeds")
SERVICES = ("checkout", "catalogue", "sessions", "exports", "webhooks", "avatars", "quotas", "reports")


def facts() -> list[Fact]:
    """Return what is told and asked for."""
    bookings = [
        Fact("a booking number", "book", {"what": what, "name": name}, _booked(what, name, number), question, number)
        for what, name, number, question in BOOKINGS
    ]
    paths = [
        Fact("a path", "find_file", {"about": about}, _found(about, path), question, path)
        for about, path, question in PATHS
    ]
    errors = [
        Fact("an error", "read_log", {"service": service}, _failed(service, code, why), question, code)
        for service, code, why, question in ERRORS
    ]
    return [*bookings, *paths, *errors]


def conversation(seed: int) -> list[dict[str, Any]]:
    """Return the items up to the first question: the facts, then CALLS_BETWEEN other calls, a user message for ten."""
    draw = random.Random(seed)  # noqa: S311 - no secret.
    told = facts()
    draw.shuffle(told)
    items: list[dict[str, Any]] = [{"role": "system", "content": "You plan trips, find files and read logs."}]
    calls = [(fact.tool, fact.arguments, fact.result) for fact in told]
    calls += [_other(draw) for _ in range(CALLS_BETWEEN)]
    for number, (tool, arguments, result) in enumerate(calls):
        if number % 10 == 0:
            items.append({"role": "user", "content": f"Go on with part {number // 10 + 1} of the list, please."})
        call_id = f"call_{seed}_{number}"
        items.append({"type": "function_call", "call_id": call_id, "name": tool, "arguments": json.dumps(arguments)})
        items.append({"type": "function_call_output", "call_id": call_id, "output": json.dumps(result)})
        if number % 10 == 9:
            items.append({"role": "assistant", "content": f"Part {number // 10 + 1} is done."})
    return items


def _other(draw: random.Random) -> tuple[str, dict[str, Any], dict[str, Any]]:
    name, place, service = draw.choice(NAMES), draw.choice(PLACES), draw.choice(SERVICES)
    number = draw.randint(1000, 9999)
    match draw.randrange(3):
        case 0:
            what = draw.choice(("hotel", "flight", "train", "table", "car"))
            return "book", {"what": what, "name": f"{name}, {place}"}, _booked(what, f"{name}, {place}", f"N{number}")
        case 1:
            about = f"{name.lower()} {draw.choice(('report', 'dataset', 'archive', 'draft'))}"
            return "find_file", {"about": about}, _found(about, f"/data/{name.lower()}/{number}.parquet")
        case _:
            why = draw.choice(
                ("timed out after 30 s", "returned an empty body", "was restarted twice", "is over quota")
            )
            return "read_log", {"service": service}, _failed(service, f"S{number}", why)


def _booked(what: str, name: str, number: str) -> dict[str, Any]:
    return {"status": "confirmed", "kind": what, "name": name, "reference": number, "cancel_until": "24 h before"}


def _found(about: str, path: str) -> dict[str, Any]:
    return {"about": about, "matches": [{"path": path, "size_bytes": 48_213}], "searched": 1_204}


def _failed(service: str, code: str, why: str) -> dict[str, Any]:
    return {"service": service, "lines": [{"level": "error", "code": code, "text": why}], "scanned": 5_000}
