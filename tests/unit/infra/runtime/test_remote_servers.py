"""Server addresses: ambiguous ones are refused, and a password leaves this machine only over verified TLS."""

import re
from pathlib import Path

import pytest

from support.variables import load_with, refusal_of

PASSWORDS_OVER_PLAINTEXT = {"DAYBOOK_KAFKA_SECURITY": "SASL_PLAINTEXT"}


@pytest.mark.parametrize("character", ["/", "?", "#", "@", "[", "]", "%"])
def test_a_password_with_a_character_that_must_be_encoded_is_refused_and_not_shown(character: str) -> None:
    refusal = refusal_of(DAYBOOK_DATABASE_URL=f"postgresql://daybook:hu{character}sh@127.0.0.1:5432/daybook")
    assert re.match(r"DAYBOOK_DATABASE_URL: .* must be percent-encoded \(/ is %2F", refusal)
    assert not any(part in refusal for part in ("hu", "sh@", "127.0.0.1"))


@pytest.mark.parametrize("password", ["hu%2Fsh", "hu:sh", "hu%40sh%3Aed", "hu sh", "hu%25sh", ""])
def test_an_encoded_password_is_accepted(password: str) -> None:
    settings = load_with(DAYBOOK_DATABASE_URL=f"postgresql://daybook:{password}@127.0.0.1:5432/daybook")
    assert settings.database_url.get_secret_value().endswith("/daybook")


@pytest.mark.parametrize(
    "rest",
    ["localhost:many/x", "localhost:5432:1/x", "localhost:65536/x", "localhost:0/x", "[::1/x", "localhost/x?sslmode"],
)
def test_an_invalid_address_is_refused(rest: str) -> None:
    refusal = refusal_of(DAYBOOK_DATABASE_URL=f"postgresql://daybook:hush@{rest}")
    assert refusal.startswith("DAYBOOK_DATABASE_URL: is not an address: expected postgresql://")
    assert "hush" not in refusal


@pytest.mark.parametrize("servers", ["h:65536", "h:0", "h:abc", "h:", ",", "h:9092,h:1:2", "PLAINTEXT://h:9092"])
def test_invalid_kafka_servers_are_refused(servers: str) -> None:
    refusal = refusal_of(DAYBOOK_KAFKA_BOOTSTRAP=servers)
    assert refusal == "DAYBOOK_KAFKA_BOOTSTRAP: must be host:port,… with ports from 1 to 65535"


@pytest.mark.parametrize("servers", ["h:9092", "h", "10.0.0.1:1, h:65535,", "[::1]:9092", "::1"])
def test_kafka_servers_are_accepted(servers: str) -> None:
    assert load_with(DAYBOOK_KAFKA_BOOTSTRAP=servers).kafka_bootstrap == servers


@pytest.mark.parametrize("security", ["SSL", "SASL_SSL"])
@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_of_authorities_that_cannot_be_read_is_refused(tmp_path: Path, text: str | None, security: str) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    refusal = refusal_of(DAYBOOK_KAFKA_SECURITY=security, DAYBOOK_KAFKA_CA_FILE=str(file))
    assert refusal.startswith(f"DAYBOOK_KAFKA_CA_FILE: {file} has no certificates that can be read (")
    assert len(refusal.splitlines()) == 1


@pytest.mark.parametrize(
    "address",
    [
        "localhost/x",
        "127.0.0.1:5432/x",
        "127.9.9.9/x",
        "[::1]:5432/x",
        "localhost:5432,127.0.0.2:5433/x",
        "%2Frun%2Fpostgresql/x",
        "/x",
        "/x?host=/run/postgresql",
        "db.example.org/x?sslmode=verify-full",
        f"db.example.org:5432,db2.example.org:5432/x?sslrootcert={__file__}&sslmode=verify-full",
    ],
)
def test_a_password_may_be_sent_to_this_machine_or_over_verified_tls(address: str) -> None:
    load_with(DAYBOOK_DATABASE_URL=f"postgresql://daybook:hush@{address}")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("db.example.org/x", "db.example.org"),
        ("10.0.0.1:5432/x?sslmode=require", "10.0.0.1"),
        ("db.example.org/x?sslmode=verify-ca", "db.example.org"),
        ("db.example.org/x?sslmode=verify-full&sslmode=disable", "db.example.org"),
        ("localhost:5432,db.example.org:5432/x", "db.example.org"),
        ("/x?host=db.example.org", "db.example.org"),
        ("/x?service=production", "a host that a service file names"),
        ("[2001:db8::1]:5432/x", "2001:db8::1"),
        ("127.0.0.1.example.org/x", "127.0.0.1.example.org"),
    ],
)
@pytest.mark.parametrize("setting", ["DAYBOOK_DATABASE_URL", "DAYBOOK_ADMIN_DATABASE_URL"])
def test_a_remote_postgresql_needs_verified_tls(setting: str, address: str, host: str) -> None:
    remote = {setting: f"postgresql://daybook:hush@{address}"}
    assert refusal_of(**remote) == (
        f"{setting} names {host}, so it needs sslmode=verify-full (and sslrootcert=FILE); or set DAYBOOK_INSECURE=allow"
    )
    load_with(**remote, DAYBOOK_INSECURE="allow")


def test_pghost_is_used_if_the_address_has_no_host() -> None:
    load_with(DAYBOOK_DATABASE_URL="postgresql:///x")
    assert "names db.example.org" in refusal_of(DAYBOOK_DATABASE_URL="postgresql:///x", PGHOST="db.example.org")


def test_sasl_without_tls_is_allowed_on_this_machine_only() -> None:
    load_with(**PASSWORDS_OVER_PLAINTEXT, DAYBOOK_KAFKA_BOOTSTRAP="127.0.0.1:9092, [::1]:9092")
    remote = PASSWORDS_OVER_PLAINTEXT | {"DAYBOOK_KAFKA_BOOTSTRAP": "localhost:9092,kafka-2.example.org:9092"}
    assert refusal_of(**remote) == (
        "DAYBOOK_KAFKA_BOOTSTRAP names kafka-2.example.org, so DAYBOOK_KAFKA_SECURITY must be SASL_SSL; "
        "or set DAYBOOK_INSECURE=allow"
    )
    load_with(**remote, DAYBOOK_INSECURE="allow")


def test_faults_of_both_servers_are_reported_together() -> None:
    remote = {
        "DAYBOOK_DATABASE_URL": "postgresql://daybook:hush@db.example.org/x",
        "DAYBOOK_KAFKA_BOOTSTRAP": "kafka.example.org:9092",
    }
    refusals = refusal_of(**PASSWORDS_OVER_PLAINTEXT, **remote).splitlines()
    assert [line.partition(" ")[0] for line in refusals] == [*remote]
