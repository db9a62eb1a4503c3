"""The server that misbehaves on command also stands in front of a store that is reached by TLS."""

import asyncio
import contextlib
import datetime
import random
import ssl
import time
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts.faults.halfway import REASON
from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.store import keys

CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8;x=y\r\n{"result\r\n6\r\n":"a"}\r\n0\r\n\r\n'


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate of 127.0.0.1 with its key, trusted for the time of the test."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


@pytest.fixture
async def upstream(certificate: Path) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A TLS server that answers in chunks: its address, and what it was sent."""
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(CHUNKED)
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


async def test_a_store_behind_tls_is_asked_by_its_own_name_and_its_chunks_arrive(
    upstream: tuple[str, list[bytes]],
) -> None:
    url, heads = upstream
    with FaultyServer(url) as server:
        async with httpx.AsyncClient(base_url=server.url, headers={"host": "wrong"}) as client:
            whole = await client.post("/", content=b"")
            server.fault = Fault.ERROR_500
            failed = await client.post("/", content=b"")

    assert (whole.json(), failed.status_code) == ({"result": "a"}, 500)
    assert all(b"\r\nhost: 127.0.0.1\r\n" in head for head in heads)


async def test_a_script_can_be_refused_one_of_its_writes(upstash: LocalUpstash, tenant: str) -> None:
    key = keys.tenant_key(tenant)
    source = "#!lua\nfor _, f in ipairs({'a', 'b', 'c'}) do redis.call('HSET', KEYS[1], f, '1') end"
    with FaultyServer(upstash.url) as server:
        server.nth_write = lambda _: 2
        headers = {"authorization": f"Bearer {upstash.token}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
            refused = (await client.post("/", json=["EVAL", source, 1, key])).json()
            assert refused["error"].startswith(REASON)
            assert (await client.post("/pipeline", json=[["HMGET", key, "a", "b"]])).json() == [{"result": ["1", None]}]
            server.nth_write = lambda _: 4
            await client.post("/", json=["EVAL", source, 1, key])
            assert (await client.post("/pipeline", json=[["HGET", key, "c"]])).json() == [{"result": "1"}]
    assert server.ended_half_way == 1


async def test_a_connection_to_the_store_is_kept_and_made_anew_when_the_store_closed_it() -> None:
    accepted: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError):
            for _ in range(2):
                await reader.readuntil(b"\r\n\r\n")
                accepted[-1] += 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as upstream:
        with FaultyServer(f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}") as server:
            async with httpx.AsyncClient(base_url=server.url) as client:
                statuses = [(await client.get("/")).status_code for _ in range(5)]

    assert statuses == [200] * 5
    assert accepted == [2, 2, 1]
    assert (server.connections, server.requests) == (1, 5)


async def test_delay_jitter_handshakes_and_bandwidth_take_their_time_and_bytes_are_counted(
    upstash: LocalUpstash,
) -> None:
    headers = {"authorization": f"Bearer {upstash.token}"}

    async def took_s(**settings: float) -> float:
        """Return what four exchanges on a new connection take."""
        with FaultyServer(upstash.url) as server:
            vars(server).update(settings)
            async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
                begin_s = time.monotonic()
                answers = [await client.post("/", json=["ECHO", "x" * 10_000]) for _ in range(4)]
                took_s = time.monotonic() - begin_s
            assert [answer.json() for answer in answers] == [{"result": "x" * 10_000}] * 4
            assert 40_000 < server.bytes_out < server.bytes_in < 43_000
        return took_s

    assert await took_s(delay_s=0.02) >= 0.08
    assert await took_s(delay_s=0.02, handshakes=2) >= 0.12
    assert await took_s(bandwidth_bytes_s=1e6) >= 0.08
    drawn = random.Random("0 jitter")
    assert await took_s(jitter_s=0.02) >= sum(drawn.expovariate(1 / 0.02) for _ in range(4))
