"""The encodings come from the bundle, whole or not at all, and only when they are needed."""

import shutil
import socket
import subprocess
import sys
from hashlib import sha256
from importlib import import_module
from pathlib import Path

import anyio
import pytest

from scripts.pack_encodings import NotPublished, pack, unpack
from shared.errors import InvalidValue
from shared.process.pool import Pool
from shared.tokens.encodings import DATA, DEFINITIONS, CorruptEncoding, Encodings, load_encoding


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_is_that_of_tiktoken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = []

    def no_download(_: str, expected_hash: str) -> dict[bytes, int]:
        hashes.append(expected_hash)
        return {}

    theirs_module = import_module("tiktoken_ext.openai_public")
    monkeypatch.setattr(theirs_module, "load_tiktoken_bpe", no_download)
    theirs = theirs_module.ENCODING_CONSTRUCTORS[name]()
    ours = DEFINITIONS[name]

    assert [ours.published_sha256] == hashes
    assert ours.special_tokens == theirs["special_tokens"]
    assert ours.pattern == theirs["pat_str"]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_packed_form_holds_the_published_file_and_nothing_else(name: str) -> None:
    packed = (DATA / f"{name}.tokens").read_bytes()
    published = unpack(packed)

    assert sha256(published).hexdigest() == DEFINITIONS[name].published_sha256
    assert pack(name, published) == packed
    with pytest.raises(NotPublished, match=name):
        pack(name, published[:-1])


@pytest.mark.parametrize("name", DEFINITIONS)
def test_an_encoding_loads_without_any_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    encoding = load_encoding(name)

    assert encoding.decode(encoding.encode_ordinary("Grüße, 世界")) == "Grüße, 世界"


def test_ranks_are_the_ones_of_the_file() -> None:
    encoding = load_encoding("cl100k_base")

    assert encoding.encode_ordinary("hello world") == [15339, 1917]
    assert encoding.encode_single_token("<|endoftext|>") == 100257


async def test_a_corrupted_file_is_refused(tmp_path: Path) -> None:
    content = bytearray((DATA / "cl100k_base.tokens").read_bytes())
    content[-2] ^= 1
    (tmp_path / "cl100k_base.tokens").write_bytes(content)
    encodings = Encodings(Pool(2), tmp_path)

    with pytest.raises(CorruptEncoding, match="cl100k_base"):
        await encodings.get("cl100k_base")
    with pytest.raises(CorruptEncoding, match="cl100k_base"):
        await encodings.get_for("cl100k_base", ["text"])


async def test_an_encoding_is_loaded_once(tmp_path: Path) -> None:
    path = tmp_path / "cl100k_base.tokens"
    shutil.copy(DATA / path.name, path)
    encodings = Encodings(Pool(2), tmp_path)
    found = []

    async def get() -> None:
        found.append(await encodings.get("cl100k_base"))

    assert not encodings.is_loaded("cl100k_base")
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(get)
    path.unlink()

    assert encodings.is_loaded("cl100k_base")
    assert {id(each) for each in [*found, await encodings.get("cl100k_base")]} == {id(found[0])}


async def test_an_unknown_encoding_is_refused_by_name() -> None:
    with pytest.raises(InvalidValue, match="gpt2") as refusal:
        await Encodings(Pool(2)).get("gpt2")

    assert refusal.value.param == "encoding"


def test_importing_the_counter_does_not_import_tiktoken() -> None:
    code = (
        "import sys, shared.tokens.counter, shared.tokens.models, shared.tokens.rule\n"
        "assert not {'tiktoken', 'regex', 'requests'} & set(sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False).returncode == 0
