"""TLS to PostgreSQL with `sslmode=verify-full`: a server is trusted only if its certificate comes from the configured
authority and is for the configured host.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from daybook_infra.runtime.errors import DatabaseAway, SettingsError
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Part
from support.stack import own_stack

CHUNK = 65_536


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """The files of a self-signed certificate for `localhost` and of its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certified = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(certified.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return pem, key_pem


@asynccontextmanager
async def tls_proxy(server: str, files: tuple[Path, Path]) -> AsyncIterator[int]:
    """The port of a TLS proxy in front of PostgreSQL, which was built without TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    address = urlsplit(server)

    async def pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(CHUNK):
                target.write(chunk)
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readexactly(8)  # PostgreSQL's SSLRequest
            writer.write(b"S")
            await writer.start_tls(context)
            upstream = await asyncio.open_connection(address.hostname, address.port)
            await asyncio.gather(pipe(reader, upstream[1]), pipe(upstream[0], writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
        yield proxy.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with own_stack(parts=frozenset({Part.POSTGRES})) as stack:
        yield stack.servers().database_url


def settings_through(url: str, port: int, host: str, options: str) -> Settings:
    parts = urlsplit(url)
    netloc = f"{parts.username}:{parts.password}@{host}:{port}"
    return Settings(database_url=SecretStr(parts._replace(netloc=netloc, query=options).geturl()))


async def test_a_valid_certificate_is_trusted(url: str, tmp_path: Path) -> None:
    async with tls_proxy(url, certificate(tmp_path, "ours")) as port:
        options = f"sslmode=verify-full&sslrootcert={tmp_path}/ours.pem"
        async with connect(settings_through(url, port, "localhost", options), "test") as connection:
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize(
    ("host", "authority", "reason"),
    [("127.0.0.1", "ours", "IP address mismatch"), ("localhost", "others", "self-signed certificate")],
)
async def test_an_invalid_certificate_is_refused(
    url: str, tmp_path: Path, host: str, authority: str, reason: str
) -> None:
    certificate(tmp_path, "others")
    async with tls_proxy(url, certificate(tmp_path, "ours")) as port:
        options = f"sslmode=verify-full&sslrootcert={tmp_path}/{authority}.pem"
        with pytest.raises(DatabaseAway, match=reason):
            async with connect(settings_through(url, port, host, options), "test"):
                pass


async def test_a_server_without_tls_is_refused(url: str, tmp_path: Path) -> None:
    certificate(tmp_path, "ours")
    port = urlsplit(url).port
    assert port is not None
    options = f"sslmode=verify-full&sslrootcert={tmp_path}/ours.pem"
    with pytest.raises(DatabaseAway, match="rejected SSL upgrade"):
        async with connect(settings_through(url, port, "localhost", options), "test"):
            pass


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("sslmode=verify-fully", r"^DAYBOOK_DATABASE_URL: `sslmode` parameter must be one of"),
        ("sslmode=verify-full", r"^DAYBOOK_DATABASE_URL: root certificate file .* does not exist"),
    ],
)
async def test_invalid_tls_options_are_a_clear_settings_error(url: str, options: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        async with connect(settings_through(url, 1, "localhost", options), "test"):
            pass
