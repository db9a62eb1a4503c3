"""
Random writes, deletions, reads, contexts and lists by several instances, the object store changed behind their backs
with a notice now and then: each answer is that of a model which holds one text a path.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from scripts.local.object_store import ObjectStore
from tests.bearers import NOTICE

EXAMPLES, STEPS = 12, 30
INSTANCES = 3
PATHS = ("a.txt", "b/c.md", "b/d e")

AT = st.integers(0, INSTANCES - 1)
NAME = st.sampled_from(PATHS)
TEXT = st.sampled_from(["", "one", "two\n", "three ünïcode " * 50])

numbers = count()
"""Each example has a folder of its own, and no key is used twice."""


class Writes(RuleBasedStateMachine):
    instances: list[httpx.Client]
    write_outside: Callable[[str, str], None]
    tenant: str

    def __init__(self) -> None:
        super().__init__()
        self.folder = f"f{next(numbers)}"
        self.texts: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.old_tags: dict[str, str] = {}
        parts = [{"type": "input_file", "file_url": f"document:{self.folder}/{path}"} for path in PATHS]
        body = {"items": [{"role": "user", "content": parts}]}
        self.context = (
            f"/v1/conversations/{self.instances[0].post('/v1/conversations', json=body).json()['id']}/context"
        )

    def url(self, path: str) -> str:
        return f"/v1/documents/{self.folder}/{path}"

    def take(self, path: str, text: str, tag: str) -> None:
        if path in self.tags:
            self.old_tags[path] = self.tags[path]
        self.texts[path], self.tags[path] = text, tag

    @rule(at=AT, path=NAME, text=TEXT)
    def put(self, at: int, path: str, text: str) -> None:
        answer = self.instances[at].put(self.url(path), content=text.encode())
        assert answer.status_code == 200, answer.text
        self.take(path, text, answer.headers["etag"])

    @rule(at=AT, path=NAME, text=TEXT, is_keyed=st.booleans())
    def put_what_is_known(self, at: int, path: str, text: str, is_keyed: bool) -> None:
        headers = {"if-match": self.tags[path]} if path in self.tags else {"if-none-match": "*"}
        headers |= {"idempotency-key": f"k{next(numbers)}"} if is_keyed else {}
        answers = [self.instances[at].put(self.url(path), content=text.encode(), headers=headers) for _ in range(2)]
        assert answers[0].status_code == 200, answers[0].text
        if is_keyed:
            assert (answers[1].status_code, answers[1].content) == (200, answers[0].content)
        elif answers[0].headers["etag"] != headers.get("if-match"):
            # The same text at the same place has the same tag in S3.
            assert answers[1].status_code == 412
        self.take(path, text, answers[-1].headers["etag"])

    @rule(at=AT, path=NAME, text=TEXT)
    def put_what_is_not(self, at: int, path: str, text: str) -> None:
        headers = {"if-none-match": "*"} if path in self.texts else {"if-match": "*"}
        assert self.instances[at].put(self.url(path), content=text.encode(), headers=headers).status_code == 412
        old = self.old_tags.get(path)
        if old is not None and old != self.tags.get(path):
            answers = [self.instances[at].put(self.url(path), content="x", headers={"if-match": old})]
            answers.append(self.instances[at].delete(self.url(path), headers={"if-match": old}))
            assert [each.status_code for each in answers] == [412] * 2

    @rule(at=AT, path=NAME, is_known=st.booleans())
    def delete(self, at: int, path: str, is_known: bool) -> None:
        headers = {"if-match": self.tags[path]} if is_known and path in self.tags else {}
        answer = self.instances[at].delete(self.url(path), headers=headers)
        assert answer.status_code == (200 if path in self.texts else 404), answer.text
        self.texts.pop(path, None)
        self.tags.pop(path, None)

    @rule(at=AT, path=NAME, text=TEXT)
    def change_outside(self, at: int, path: str, text: str) -> None:
        self.write_outside(f"{self.tenant}/{self.folder}/{path}", text)
        notice = {"changes": [{"path": f"{self.tenant}/{self.folder}/{path}"}]}
        assert self.instances[at].post("/v1/changes", json=notice, headers=NOTICE).status_code == 200
        self.take(path, text, self.instances[at].get(self.url(path)).headers["etag"])

    @rule(at=AT, path=NAME)
    def read(self, at: int, path: str) -> None:
        answer = self.instances[at].get(self.url(path))
        if path in self.texts:
            assert (answer.text, answer.headers["etag"]) == (self.texts[path], self.tags[path])
        else:
            assert answer.status_code == 404

    @rule(at=AT)
    def read_a_context(self, at: int) -> None:
        answer = self.instances[at].get(self.context, params={"format": "text", "budget": 4_000}).json()
        shown = {each["path"]: each["etag"] for each in answer["documents"] if each["status"] == "whole"}
        assert shown == {f"{self.folder}/{path}": tag for path, tag in self.tags.items()}

    @rule(at=AT, prefix=st.sampled_from(["", "a", "b", "b/", "b/d", "c"]), limit=st.integers(1, 3))
    def list(self, at: int, prefix: str, limit: int) -> None:
        query: dict[str, str | int] = {"prefix": f"{self.folder}/{prefix}", "limit": limit}
        found: list[tuple[str, str]] = []
        while True:
            page = self.instances[at].get("/v1/documents", params=query).json()
            found += [(each["path"], each["etag"]) for each in page["data"]]
            if not page["has_more"]:
                break
            query["after"] = page["next_after"]
        wanted = sorted((path, tag) for path, tag in self.tags.items() if path.startswith(prefix))
        assert found == [(f"{self.folder}/{path}", tag) for path, tag in wanted]


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_every_answer_is_that_of_one_text_a_path(
    kind: str,
    request: pytest.FixtureRequest,
    make_api: Callable[[], httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
    documents_folder: Path,
    tenant: str,
) -> None:
    s3: ObjectStore | None = request.getfixturevalue("s3") if kind == "s3" else None
    if s3 is not None:
        s3.use(monkeypatch)

    def write_outside(path: str, text: str) -> None:
        if s3 is not None:
            s3.put(path, text)
            return
        (documents_folder / path).parent.mkdir(parents=True, exist_ok=True)
        (documents_folder / path).write_text(text)

    Writes.write_outside = staticmethod(write_outside)
    Writes.instances, Writes.tenant = [make_api() for _ in range(INSTANCES)], tenant
    run_state_machine_as_test(
        Writes,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            database=None,
        ),
    )
