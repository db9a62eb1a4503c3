"""Documents in contexts: where they stand, what they may cost, what is said of them, and when they change."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.object_store import ObjectStore
from scripts.local.upstash import LocalUpstash
from scripts.proving.contexts.real_tokens import real_count
from shared.store.keys import document_key
from tests.bearers import NOTICE
from tests.documents import age
from tests.instances import client_of


@pytest.fixture
def put(s3: ObjectStore, tenant: str) -> Callable[[str, str | bytes], str]:
    return lambda path, body: s3.put(path if path.startswith("shared/") else f"{tenant}/{path}", body)


def kept_count(run: Any, tenant: str, path: str, encoding: str = "o200k_base") -> int:
    """Return the count that the store keeps of a document; it is kept after the response."""
    until = time.monotonic() + 5
    while (kept := run("HGET", document_key(tenant, path), f"n:{encoding}")) is None:
        assert time.monotonic() < until
    return int(kept)


def mention(*paths: str, text: str = "Look:") -> dict[str, Any]:
    parts = [{"type": "input_file", "file_url": f"document:{path}"} for path in paths]
    return {"role": "user", "content": [{"type": "input_text", "text": text}, *parts]}


def say(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def create(service: httpx.Client, *items: dict[str, Any]) -> str:
    answer = service.post("/v1/conversations", json={"items": items})
    assert answer.status_code == 200, answer.text
    return f"/v1/conversations/{answer.json()['id']}"


def context(service: httpx.Client, url: str, **parameters: Any) -> dict[str, Any]:
    answer = service.get(f"{url}/context", params={"budget": 2_000, "format": "chat", **parameters})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def texts(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    return [content] if isinstance(content, str) else [part["text"] for part in content]


def count(messages: list[dict[str, Any]]) -> int:
    total = 3
    for message in messages:
        total += 3 + real_count(message["role"]) + sum(map(real_count, texts(message)))
    return total


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {each["path"]: each["status"] for each in found["documents"]}


def test_a_document_stands_behind_its_newest_mention_and_is_counted(service: httpx.Client, put: Any) -> None:
    tag = put("a.txt", "The text of a.")
    url = create(service, mention("a.txt"), say("Seen."), mention("a.txt", text="Again:"))
    found = context(service, url)

    assert [texts(message) for message in found["messages"]] == [
        ["Look:", "[document a.txt]"],
        ["Seen."],
        ["Again:", "[document a.txt]", '<document path="a.txt">\nThe text of a.\n</document>'],
    ]
    assert found["tokens"] == count(found["messages"])
    assert found["counting"] == "rule"
    [shown] = found["documents"]
    assert shown == {
        "path": "a.txt",
        "item_id": shown["item_id"],
        "status": "whole",
        "etag": tag,
        "tokens": shown["total_tokens"],
        "total_tokens": shown["total_tokens"],
        "stale": False,
    }


@pytest.mark.parametrize("format_", ["items", "anthropic", "text"])
def test_every_format_holds_the_text(service: httpx.Client, put: Any, format_: str) -> None:
    put("a.txt", "The text of a.")
    url = create(service, mention("a.txt"))
    answer = service.get(f"{url}/context", params={"budget": 500, "format": format_})

    assert answer.text.count("The text of a.") == 1
    assert "input_file" not in answer.text
    assert answer.json()["omitted"]["unsupported"] == []


def test_tools_and_systems_may_mention_documents_too(service: httpx.Client, put: Any) -> None:
    put("rules.md", "Be brief.")
    put("shared/out.csv", "a,b")
    url = create(
        service,
        {"role": "system", "content": [{"type": "input_file", "file_url": "document:rules.md"}]},
        {"role": "user", "content": "Run."},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_file", "file_url": "document:shared/out.csv"}],
        },
    )
    found = context(service, url)

    assert statuses(found) == {"rules.md": "whole", "shared/out.csv": "whole"}
    assert "Be brief." in texts(found["messages"][0])[1]
    assert "a,b" in texts(found["messages"][-1])[1]


def test_documents_stay_within_their_share_newest_first_and_the_budget_holds(service: httpx.Client, put: Any) -> None:
    for name in ("old", "middle", "new"):
        put(f"{name}.txt", "".join(f"{name} line {number}\n" for number in range(100)))
    url = create(service, mention("old.txt"), say("1"), mention("middle.txt"), say("2"), mention("new.txt"), say("3"))
    for budget, share, expected in (
        (4_000, 90, ["whole", "whole", "whole"]),
        (2_000, 40, ["omitted", "cut", "whole"]),
        (1_000, 40, ["omitted", "omitted", "cut"]),
        (1_000, 0, ["omitted", "omitted", "omitted"]),
    ):
        found = context(service, url, budget=budget, document_budget=share)
        assert list(statuses(found).values()) == expected
        assert found["tokens"] == count(found["messages"]) <= budget
        assert sum(each["tokens"] for each in found["documents"]) <= budget * share / 100
        assert found["messages"] == context(service, url, budget=budget, document_budget=share)["messages"]


def test_a_cut_is_marked(service: httpx.Client, put: Any) -> None:
    put("a.txt", "".join(f"line {number}\n" for number in range(2_000)))
    found = context(service, create(service, mention("a.txt")), budget=1_000)
    text = texts(found["messages"][0])[-1]

    assert text.startswith('<document path="a.txt">\nline 0\nline 1\n')
    assert text.endswith("\n[cut here: the rest of this document does not fit]\n</document>")
    [shown] = found["documents"]
    assert 300 < shown["tokens"] <= 400 < shown["total_tokens"]


def test_documents_never_make_a_context_fail(service: httpx.Client, put: Any) -> None:
    put("a.txt", "word " * 5_000)
    url = create(service, mention("a.txt", text="word " * 400))
    found = context(service, url, budget=420, document_budget=90)

    assert statuses(found) == {"a.txt": "omitted"}
    assert found["tokens"] <= 420


def test_what_cannot_be_shown_is_reported(service: httpx.Client, put: Any) -> None:
    put("image.png", b"\x89PNG\0")
    put("a.txt", "text")
    url = create(service, mention("image.png", "none.txt", "a.txt"))

    assert statuses(context(service, url)) == {"image.png": "unsupported", "none.txt": "missing", "a.txt": "whole"}


@pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/../../b", "a\nb", "x" * 513])
def test_a_mention_that_leads_out_is_refused(service: httpx.Client, path: str) -> None:
    answer = service.post("/v1/conversations", json={"items": [mention(path)]})

    assert (answer.status_code, answer.json()["param"]) == (400, "items[0].content[1].file_url")


def test_a_conversation_mentions_so_many_documents_at_most(service: httpx.Client) -> None:
    url = create(service, *(mention(f"{number}.txt") for number in range(64)))
    again = service.post(f"{url}/items", json={"items": [mention("0.txt")]})
    refused = service.post(f"{url}/items", json={"items": [mention("0.txt", "64.txt")]})

    assert again.status_code == 200
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "documents_exceeded")
    assert refused.json()["param"] == "items[0]"
    assert refused.json()["limit_documents"] == 64


def test_a_tenant_cannot_embed_what_is_anothers(
    service: httpx.Client, put: Any, tenant: str, mint: Callable[[], str]
) -> None:
    put("secret.txt", "mine")
    context(service, create(service, mention("secret.txt")))
    with client_of(str(service.base_url), mint()) as other:
        found = context(other, create(other, mention("secret.txt", f"{tenant}/secret.txt")))

    assert set(statuses(found).values()) == {"missing"}


def test_a_warm_context_is_one_request_to_the_store_and_none_to_the_source(
    service: httpx.Client,
    put: Any,
    front: FaultyServer,
    upstash: LocalUpstash,
    billed_commands: Callable[[], int],
    tenant: str,
    run: Any,
) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        put(name, name)
    url = create(service, mention("a.txt", "b.txt"), say("."), mention("c.txt"))
    context(service, url)
    for name in ("a.txt", "b.txt", "c.txt"):
        kept_count(run, tenant, name)
    asked, billed = front.requests, billed_commands()
    upstash.reset()
    found = context(service, url)

    assert statuses(found) == {"a.txt": "whole", "b.txt": "whole", "c.txt": "whole"}
    assert (upstash.requests, front.requests - asked, billed_commands() - billed) == (1, 0, 4)


def test_a_changed_document_changes_the_tag_of_each_context_that_shows_it(
    service: httpx.Client, put: Any, make_api: Callable[[], httpx.Client], tenant: str
) -> None:
    put("a.txt", "old")
    put("b.txt", "b")
    urls = [f"{create(service, mention(name))}/context?budget=500" for name in ("a.txt", "a.txt", "b.txt")]
    clients = (service, make_api())
    tags = [[client.get(url).headers["etag"] for url in urls] for client in clients]
    same = [client.get(url, headers={"if-none-match": tags[0][0]}) for client in clients for url in urls[:1]]
    put("a.txt", "new")
    service.post("/v1/changes", json={"changes": [{"path": f"{tenant}/a.txt"}]}, headers=NOTICE)
    after = [
        client.get(url, headers={"if-none-match": tag})
        for client in clients
        for url, tag in zip(urls, tags[0], strict=True)
    ]

    assert tags[0] == tags[1]
    assert [each.status_code for each in same] == [304, 304]
    assert [each.status_code for each in after] == [200, 200, 304] * 2
    assert all("new" in each.text and "old" not in each.text for each in after if each.status_code == 200)


def test_while_the_source_is_away_contexts_go_on_marked_stale(
    service: httpx.Client, put: Any, front: FaultyServer, tenant: str, run: Any
) -> None:
    put("a.txt", "held")
    url = create(service, mention("a.txt"))
    fresh = context(service, url)
    age(run, tenant, "a.txt", 120)
    front.fault = Fault.ERROR_500
    stale, cold = context(service, url), context(service, create(service, mention("b.txt")))
    service.post("/v1/changes", json={"changes": [{"path": f"{tenant}/a.txt"}]}, headers=NOTICE)
    outdated = context(service, url)

    assert (fresh["documents"][0]["stale"], stale["documents"][0]["stale"]) == (False, True)
    assert stale["messages"] == fresh["messages"]
    assert statuses(cold) == {"b.txt": "unavailable"}
    assert statuses(outdated) == {"a.txt": "unavailable"}
    assert "held" not in str(outdated["messages"])


def test_a_count_is_made_once_and_kept_for_other_instances(
    service: httpx.Client, put: Any, tenant: str, run: Any
) -> None:
    put("a.txt", "text")
    found = context(service, create(service, mention("a.txt")))
    context(service, create(service, mention("a.txt")), encoding="cl100k_base")

    assert kept_count(run, tenant, "a.txt") == found["documents"][0]["tokens"]
    assert kept_count(run, tenant, "a.txt", "cl100k_base") > 0


def test_a_mention_that_was_deleted_shows_nothing(service: httpx.Client, put: Any) -> None:
    put("a.txt", "text")
    url = create(service, mention("a.txt"))
    item = service.get(f"{url}/items").json()["data"][0]["id"]
    service.delete(f"{url}/items/{item}")

    assert context(service, url)["documents"] == []
    service.post(f"{url}/items", json={"items": [mention("a.txt")]})
    assert statuses(context(service, url)) == {"a.txt": "whole"}
