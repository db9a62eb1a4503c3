"""GET and HEAD /v1/documents: a tenant's own folder and the shared one, text only, large ones in slices."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.items.document_paths import PATH_BYTES_MAX
from shared.request.caller import read_key

Write = Callable[[str, str | bytes], None]
MEBIBYTE = 1_048_576


@pytest.fixture
def write(documents_folder: Path, tenant: str) -> Write:
    """Write a document: of the test's tenant, or of shared/ when its path says so."""

    def write_document(path: str, body: str | bytes) -> None:
        file = documents_folder / (path if path.startswith("shared/") else f"{tenant}/{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body.encode() if isinstance(body, str) else body)

    return write_document


def detail(answer: httpx.Response) -> str:
    return answer.headers["cache-status"].rpartition("detail=")[2]


def test_a_document_comes_with_its_tag_and_its_tokens(api: httpx.Client, write: Write) -> None:
    write("notes/a b.md", "# Grüße\n")
    answer = api.get("/v1/documents/notes/a b.md")

    assert (answer.status_code, answer.content) == (200, "# Grüße\n".encode())
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["content-length"] == "10"
    assert int(answer.headers["warmthread-tokens"]) > 4
    assert answer.headers["warmthread-encoding"] == "o200k_base"
    assert api.get("/v1/documents/notes/a b.md?encoding=cl100k_base").headers["warmthread-encoding"] == "cl100k_base"


def test_the_first_read_asks_the_source_the_next_ones_do_not(
    api: httpx.Client, write: Write, make_service: Callable[[], str], key: str
) -> None:
    write("a.txt", "text")
    headers = {"authorization": f"Bearer {key}"}
    answers = [api.get("/v1/documents/a.txt"), api.get("/v1/documents/a.txt")]
    answers.append(httpx.get(make_service() + "/v1/documents/a.txt", headers=headers))

    assert [detail(each) for each in answers] == ["source", "L1", "L2"]
    assert {each.text for each in answers} == {"text"}


def test_a_tag_that_the_caller_has_is_a_304(api: httpx.Client, write: Write) -> None:
    write("a.txt", "text")
    tag = api.get("/v1/documents/a.txt").headers["etag"]
    answer = api.get("/v1/documents/a.txt", headers={"if-none-match": tag})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


def test_head_says_what_get_would(api: httpx.Client, write: Write) -> None:
    write("a.csv", "a,b\n1,2\n")
    get, head = api.get("/v1/documents/a.csv"), api.head("/v1/documents/a.csv")

    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-length", "content-type", "warmthread-tokens"):
        assert head.headers[name] == get.headers[name]


def test_a_large_document_comes_whole_though_its_beginning_only_is_kept(api: httpx.Client, write: Write) -> None:
    body = "".join(f"line {number} of many, ünïcode\n" for number in range(120_000))
    write("large.txt", body)
    first, second = api.get("/v1/documents/large.txt"), api.get("/v1/documents/large.txt")

    assert len(body.encode()) > 3 * MEBIBYTE
    assert first.content == second.content == body.encode()
    assert (detail(second), "warmthread-tokens" in second.headers) == ("L1", False)


@pytest.mark.parametrize("body", [b"\x89PNG\r\n\0\0", b"\xff\xfeh\0i\0", b"caf\xe9", b"%PDF-1.7 text"])
def test_what_is_no_text_is_a_415(api: httpx.Client, write: Write, body: bytes) -> None:
    write("image.bin", body)

    for _ in range(2):
        answer = api.get("/v1/documents/image.bin")
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media")


def test_an_empty_document_is_one(api: httpx.Client, write: Write) -> None:
    write("empty.txt", "")

    assert (api.get("/v1/documents/empty.txt").status_code, api.get("/v1/documents/empty.txt").text) == (200, "")


@pytest.mark.parametrize(
    "path", ["none.txt", "..%2fother%2fa.txt", "a//b", "%2e%2e/a", "a%00b", "a%5cb", "x" * (PATH_BYTES_MAX + 1), ""]
)
def test_what_does_not_exist_or_cannot_is_a_404(api: httpx.Client, path: str) -> None:
    assert api.get(f"/v1/documents/{path}").status_code == 404


def test_a_tenant_sees_its_own_folder_and_the_shared_one_and_nothing_else(
    api: httpx.Client, other_api: httpx.Client, write: Write, tenant: str
) -> None:
    write("secret.txt", "mine")
    write("shared/all.txt", "everybody's")
    api.get("/v1/documents/secret.txt")
    paths = ("secret.txt", f"{tenant}/secret.txt", f"../{tenant}/secret.txt", f"shared/../{tenant}/secret.txt")
    refusals = [other_api.get(f"/v1/documents/{path}") for path in paths]
    unknown = other_api.get("/v1/documents/unknown.txt")

    assert {each.status_code for each in refusals} == {404}
    # Neither does the answer differ from one for what exists nowhere.
    assert refusals[0].json() == {
        **unknown.json(),
        "detail": refusals[0].json()["detail"],
        "error": refusals[0].json()["error"],
        "request_id": refusals[0].headers["x-request-id"],
    }
    assert refusals[0].headers.keys() == unknown.headers.keys()
    assert other_api.get("/v1/documents/shared/all.txt").text == "everybody's"
    assert api.get("/v1/documents/secret.txt").text == "mine"


def test_no_tenant_is_called_like_the_shared_folder(service_url: str, run: Any) -> None:
    answer = httpx.get(f"{service_url}/v1/documents/all.txt", headers={"authorization": "Bearer wt_shared_secret"})

    assert answer.status_code == 401
    assert read_key("wt_shared-x_secret").tenant == "shared-x"


def test_strangers_get_nothing(service_url: str, write: Write, tenant: str) -> None:
    write("a.txt", "text")
    stranger = {"authorization": f"Bearer wt_{tenant}_wrongsecret"}

    assert httpx.get(f"{service_url}/v1/documents/a.txt", headers=stranger).status_code == 401
    assert httpx.get(f"{service_url}/v1/documents/none.txt", headers=stranger).status_code == 401
