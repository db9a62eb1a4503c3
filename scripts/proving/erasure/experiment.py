"""
One run: a user whose canaries are everywhere, four instances that hold them, an erasure under load, and the search.
"""

import contextlib
import secrets
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from scripts.faults.server import FaultyServer
from scripts.local.mint import mint
from scripts.local.upstash import LocalUpstash
from scripts.proving.erasure.dump import dump_of, found_in, structure_of
from scripts.proving.erasure.making import Canaries, Made, make
from scripts.proving.erasure.watching import PATHS, Watcher
from scripts.proving.fleet import Instance, environment_without_store
from scripts.proving.past import Past
from scripts.proving.progress import Lines
from shared.erasing.receipts import Verdict, subject_sha256, verify
from shared.request.caller import make_key, read_key
from shared.request.roles import ADMIN
from shared.store import keys

INSTANCES = 4
SECRET = "the-proof-signs-with-this-secret"  # noqa: S105  # of a store that ends with the run.
OTHER = "somebody else"
WARM_MAX = 200
"""Plain conversations that each instance reads before."""

BEFORE_S, AFTER_S = 1.5, 2.0
CALLS_MAX = 100
DEAF = "scripts.proving.erasure.deaf"
DOCUMENT = "{stem}-document.txt"
PLANTS = ("l1", "member", "row", "attempt", "log")


class Report(NamedTuple):
    """What a run found. *work_s*: of all calls of the erasure, *took_s* from the first to the receipt."""

    rows: list[tuple[str, object]]
    violations: list[str]
    work_s: float
    took_s: float


class Site(NamedTuple):
    """A store, what stands in front of it, instances, and the folder of their logs and documents."""

    past: Past
    redis_url: str
    front: FaultyServer
    clients: list[httpx.Client]
    key: str
    folder: Path

    @property
    def tenant(self) -> str:
        return read_key(self.key).tenant


@contextlib.contextmanager
def running_site(plants: Collection[str]) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wt-erasure-")))
        upstash = stack.enter_context(LocalUpstash())
        front = stack.enter_context(FaultyServer(upstash.url))
        key = make_key(f"t{secrets.token_hex(8)}")
        mint(upstash.url, upstash.token, key, role=ADMIN)
        environment = environment_without_store()
        environment |= {
            "UPSTASH_REDIS_REST_URL": front.url,
            "UPSTASH_REDIS_REST_TOKEN": upstash.token,
            "WARMTHREAD_DOCUMENTS_URL": str(folder / "documents"),
            "WARMTHREAD_RECEIPT_SECRET": SECRET,
            "WARMTHREAD_LOG_LEVEL": "info",
            # Where a machine has other work, what is slow is not to be taken for a store that is away.
            "WARMTHREAD_STORE_TIMEOUT_S": "10",
            "WARMTHREAD_STORE_CONNECT_TIMEOUT_S": "10",
        }
        (folder / "documents" / read_key(key).tenant).mkdir(parents=True)
        clients = []
        for number in range(INSTANCES):
            module = DEAF if "l1" in plants and number == 1 else "scripts.local.instance"
            instance = Instance(number, environment, log=folder / f"{number}.log", module=module)
            stack.callback(instance.end)
            instance.start()
            instance.wait_until_ready()
            headers = {"authorization": f"Bearer {key}"}
            clients.append(stack.enter_context(httpx.Client(base_url=instance.url, headers=headers, timeout=60)))
        past = Past(upstash.url, upstash.token)
        stack.callback(past.close)
        yield Site(past, upstash.redis_url, front, clients, key, folder)


def experiment(conversations: int, plants: Collection[str], seed: int) -> Report:
    """
    Make, warm, erase under load, leave what is to be found of *plants*, search. Raises RuntimeError: what is to be
    proved could not be set up.
    """
    tell = Lines("steps")
    canaries = Canaries(f"zq{secrets.token_hex(6)}")
    user = f"{canaries()}/ü@example.com"
    # Documents make an erasure wait; what is planted is found without them.
    document = DOCUMENT.format(stem=canaries.stem) if not plants else ""
    with running_site(plants) as site:
        run, [api, *_] = site.past.run, site.clients
        if document:
            (site.folder / "documents" / site.tenant / document).write_text(f"{canaries()} is in here")
        kept = _kept(api)
        before = structure_of(run)
        tell("making", 1, 5)
        made = make(api, canaries, user, document, conversations)
        tell("warming", 2, 5)
        _warm(site.clients, made)
        if not found_in(dump_of(site.redis_url), [canaries.stem]):
            raise RuntimeError("the canaries are not in the store: nothing would be proved")
        tell("erasing", 3, 5)
        watchers = [
            Watcher(number, each, canaries.stem, made.ids[: WARM_MAX + len(made.rich)], kept, seed)
            for number, each in enumerate(site.clients)
        ]
        calls, receipt = _erase_under_load(site, watchers, user)
        for plant in plants:
            _plant_after(plant, site, user, made, canaries.stem)
        tell("searching", 4, 5)
        violations = [line for each in watchers for line in each.violations]
        violations += _stale(site, made, canaries.stem)
        violations += _of_receipt(receipt, user, made)
        violations += _of_kept(api, kept, [text for each in watchers for text in each.appended])
        held = found_in(dump_of(site.redis_url), [canaries.stem, *made.ids])
        violations += [f"the store's file holds {line}" for line in held]
        violations += _left(before, structure_of(run), site.tenant, kept, user)
        logs = b"".join(path.read_bytes() for path in site.folder.glob("*.log"))
        violations += [f"a log holds {line}" for line in found_in(logs, [canaries.stem])]
        tell("searching", 5, 5)
        work_s = sum(calls)
        took_s = receipt["ended_at"] - receipt["begun_at"]
        rows: list[tuple[str, object]] = [
            ("conversations erased", receipt["conversations"]),
            ("items", receipt["items"]),
            ("bytes", receipt["bytes"]),
            ("names in the store", receipt["keys"]),
            ("canaries, each in a field of its own", canaries.count),
            ("of these refused by the service", made.refused),
            ("bytes of log searched", len(logs)),
            ("calls of the erasure", len(calls)),
            *((f"  ms of call {number}", round(1e3 * took)) for number, took in enumerate(calls, 1)),
            ("ms of work for 1,000 conversations", round(1e6 * work_s / max(1, receipt["conversations"]))),
            *sorted(_sums(watchers).items()),
        ]
    return Report(rows, violations, work_s, took_s)


def _kept(api: httpx.Client) -> str:
    """Make what has to stay whole: a conversation of somebody else."""
    body = {"user": OTHER, "agent": "bot", "metadata": {"k": "v"}, "items": [{"role": "user", "content": "stays"}]}
    conversation = str(api.post("/v1/conversations", json=body).raise_for_status().json()["id"])
    api.post(f"/v1/conversations/{conversation}/items", json={"items": [{"role": "assistant", "content": "so"}]})
    return conversation


def _warm(clients: list[httpx.Client], made: Made) -> None:
    for client in clients:
        for conversation in [*made.rich, *made.ids[-WARM_MAX:]]:
            for path in PATHS[:4]:
                client.get(f"/v1/conversations/{conversation}{path}")


def _erase_under_load(site: Site, watchers: list[Watcher], user: str) -> tuple[list[float], dict[str, Any]]:
    """Erase while all instances serve; return how long each call took, in seconds, and the receipt."""
    calls: list[float] = []
    for each in watchers:
        each.start()
    time.sleep(BEFORE_S)
    while True:
        client = httpx.Client(
            base_url=site.clients[len(calls) % len(site.clients)].base_url,
            headers={"authorization": f"Bearer {site.key}"},
            timeout=60,
        )
        with client:
            begun_at_s = time.monotonic()
            answer = client.delete(f"/v1/users/{quote(user, safe='')}")
            ended_at_s = time.monotonic()
        calls.append(ended_at_s - begun_at_s)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and len(calls) < CALLS_MAX:
            time.sleep(1)  # As a client does: the next one goes on.
            continue
        told = answer.raise_for_status().json()
        for each in watchers:
            each.begun_at_s = min(each.begun_at_s, ended_at_s)
            each.over_at_s = ended_at_s if told["done"] else each.over_at_s
        if told["done"]:
            break
        time.sleep(int(answer.headers.get("retry-after", "0")))
    time.sleep(AFTER_S)
    for each in watchers:
        each.stop()
    return calls, told["receipt"]


def _stale(site: Site, made: Made, stem: str) -> list[str]:
    """With the store away: what instances show that may answer from an old copy."""
    violations = []
    site.front.leave()
    for number, client in enumerate(site.clients):
        for conversation in [*made.rich, *made.ids[-20:]]:
            for path in PATHS[:4]:
                way = {"cache-control": "max-age=3600, stale-if-error=3600"}
                answer = client.get(f"/v1/conversations/{conversation}{path}", headers=way)
                if stem in answer.text.replace(conversation, ""):
                    violations.append(f"instance {number} shows {conversation}{path} while the store is away")
    site.front.come_back()
    return violations


def _of_receipt(receipt: dict[str, Any], user: str, made: Made) -> list[str]:
    violations = []
    if verify(receipt, SECRET) is not Verdict.GENUINE:
        violations.append(f"the receipt: {verify(receipt, SECRET).value}")
    if receipt["subject_sha256"] != subject_sha256(user):
        violations.append("the receipt is of somebody else")
    if receipt["conversations"] != len(made.ids):
        violations.append(f"the receipt counts {receipt['conversations']} conversations; there were {len(made.ids)}")
    return violations


def _of_kept(api: httpx.Client, kept: str, appended: list[str]) -> list[str]:
    """What stays has every item that was acknowledged, and no other."""
    found: list[str] = []
    after = ""
    while True:
        query: dict[str, str | int] = {"order": "asc", "limit": 100, **({"after": after} if after else {})}
        page = api.get(f"/v1/conversations/{kept}/items", params=query).raise_for_status().json()
        found += [part["text"] for each in page["data"] for part in each["content"]]
        if not page["has_more"]:
            break
        after = page["last_id"]
    wanted = ["stays", "so", *appended]
    return [] if sorted(found) == sorted(wanted) else [f"what stays has {len(found)} items of {len(wanted)}"]


def _left(before: set[str], now: set[str], tenant: str, kept: str, user: str) -> list[str]:
    """Names, fields and members that are new, and nothing of those who stay."""
    may_change = (f"{keys.tenant_key(tenant)} > ", keys.conversation_key(tenant, kept), f"{keys.SCHEMA}::")
    # What is kept of requests for a while holds no text, which is searched for elsewhere.
    may_come = (keys.attempt_key(tenant, ""), keys.left_key(tenant, ""), keys.erased_key(tenant, keys.digest(user)))
    fence = tuple([f"{keys.tenant_key(tenant)} > {field}" for field in ("erasing", "erasure:")])
    new = {each for each in now - before if each.startswith(fence) or not each.startswith((*may_change, *may_come))}
    lost = {each for each in before - now if not each.startswith(may_change)}
    return [f"left: {each}" for each in sorted(new)] + [f"lost: {each}" for each in sorted(lost)]


def _plant_after(plant: str, site: Site, user: str, made: Made, stem: str) -> None:
    run, tenant = site.past.run, site.tenant
    match plant:
        case "member":
            run("ZADD", keys.members_key(tenant, "user", user), 1, made.ids[-1])
        case "row":
            run("HSET", keys.rows_key(tenant, 0), made.ids[-1], "1 0 1 1 {}")
        case "attempt":
            run("SET", keys.attempt_key(tenant, "0" * 64), f"{stem}-planted", "EX", 60)
        case "log":
            with (site.folder / "0.log").open("a") as log:
                log.write(f"{stem}-planted\n")


def _sums(watchers: list[Watcher]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for each in watchers:
        for name, count in each.answered.items():
            sums[name] = sums.get(name, 0) + count
    return sums
