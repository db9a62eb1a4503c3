"""A store that is spoken to by TLS: its certificate is checked, by the roots that the machine has."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scripts.local.valkey import running_valkey
from shared.config import Settings
from shared.errors import StoreUnavailable
from shared.setting import Secret
from shared.store.resp.server import tls_context
from shared.store.upstash import Store


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with running_valkey() as url:
        yield url


def _certificate(folder: Path) -> Path:
    """Write a certificate of 127.0.0.1 that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the tests' own")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "own.pem"
    path.write_bytes(made.public_bytes(encoding) + secret)
    return path


@asynccontextmanager
async def behind_tls(certificate: Path, redis_url: str) -> AsyncIterator[int]:
    """Yield the port of what takes TLS off for the server at *redis_url*."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(redis_url.removeprefix("unix://"))

        async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await source.read(65_536):
                    to.write(data)
                    await to.drain()
            to.transport.abort()

        await asyncio.gather(copy(reader, upstream_writer), copy(upstream_reader, writer))

    listener = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A certificate that this machine trusts while the test runs, as it does those of its roots."""
    path = _certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    tls_context.cache_clear()
    yield path
    tls_context.cache_clear()


async def test_an_address_with_two_s_is_spoken_to_by_tls(server_url: str, certificate: Path) -> None:
    async with behind_tls(certificate, server_url) as port:
        store = Store(Settings(store_url=f"rediss://127.0.0.1:{port}", store_token=Secret("")))
        results = await asyncio.gather(*[store.command("ECHO", "x" * size) for size in (1, 300_000)])
        await store.close()

    assert results == ["x", "x" * 300_000]


async def test_who_has_no_certificate_for_its_name_is_told_nothing(server_url: str, certificate: Path) -> None:
    async with behind_tls(certificate, server_url) as port:
        store = Store(Settings(store_url=f"rediss://localhost:{port}", store_token=Secret(":secret")))
        with pytest.raises(StoreUnavailable) as error:
            await store.command("PING")
        await store.close()

    assert error.value.extensions == {"outcome_unknown": False}
    assert "SSLCertVerificationError" in str(error.value.__cause__)
