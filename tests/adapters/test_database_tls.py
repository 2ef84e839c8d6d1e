"""TLS to PostgreSQL as `sslmode=verify-full` asks for it: a server is believed if its certificate comes from the named
authority and is for the named host, and no password goes to any other.
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
    """Files of a certificate for `localhost`, its own authority, and of its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return pem, key_pem


@asynccontextmanager
async def speaking_tls(server: str, files: tuple[Path, Path]) -> AsyncIterator[int]:
    """The port of a proxy in front of a PostgreSQL that was built without TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    at = urlsplit(server)

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
            behind = await asyncio.open_connection(at.hostname, at.port)
            await asyncio.gather(pipe(reader, behind[1]), pipe(behind[0], writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
        yield proxy.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with own_stack(parts=frozenset({Part.POSTGRES})) as stack:
        yield stack.found().database_url


def through(url: str, port: int, host: str, options: str) -> Settings:
    parts = urlsplit(url)
    netloc = f"{parts.username}:{parts.password}@{host}:{port}"
    return Settings(database_url=SecretStr(parts._replace(netloc=netloc, query=options).geturl()))


async def test_the_server_that_is_meant_is_believed(url: str, tmp_path: Path) -> None:
    async with speaking_tls(url, certificate(tmp_path, "ours")) as port:
        options = f"sslmode=verify-full&sslrootcert={tmp_path}/ours.pem"
        async with connect(through(url, port, "localhost", options), "test") as connection:
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize(
    ("host", "authority", "reason"),
    [
        ("127.0.0.1", "ours", "IP address mismatch"),
        ("localhost", "others", "self-signed certificate"),
    ],
)
async def test_another_server_is_refused(url: str, tmp_path: Path, host: str, authority: str, reason: str) -> None:
    certificate(tmp_path, "others")
    async with speaking_tls(url, certificate(tmp_path, "ours")) as port:
        options = f"sslmode=verify-full&sslrootcert={tmp_path}/{authority}.pem"
        with pytest.raises(DatabaseAway, match=reason):
            async with connect(through(url, port, host, options), "test"):
                pass


async def test_a_server_without_tls_is_refused(url: str, tmp_path: Path) -> None:
    certificate(tmp_path, "ours")
    port = urlsplit(url).port
    assert port is not None
    options = f"sslmode=verify-full&sslrootcert={tmp_path}/ours.pem"
    with pytest.raises(DatabaseAway, match="rejected SSL upgrade"):
        async with connect(through(url, port, "localhost", options), "test"):
            pass


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("sslmode=verify-fully", r"^DAYBOOK_DATABASE_URL: `sslmode` parameter must be one of"),
        ("sslmode=verify-full", r"^DAYBOOK_DATABASE_URL: root certificate file .* does not exist"),
    ],
)
async def test_tls_that_cannot_be_set_up_is_one_clear_line(url: str, options: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        async with connect(through(url, 1, "localhost", options), "test"):
            pass
