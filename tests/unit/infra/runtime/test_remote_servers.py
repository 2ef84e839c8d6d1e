"""Server addresses: ambiguous ones are refused, and a password leaves this machine only over verified TLS."""

import pytest

from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.settings import load_settings

URL, KAFKA = "DAYBOOK_DATABASE_URL", "DAYBOOK_KAFKA_BOOTSTRAP"


@pytest.mark.parametrize("character", ["/", "?", "#", "@", "[", "]", "%"])
def test_a_password_with_a_character_that_must_be_encoded_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    monkeypatch.setenv(URL, f"postgresql://daybook:hu{character}sh@127.0.0.1:5432/daybook")
    with pytest.raises(SettingsError, match=r"^DAYBOOK_DATABASE_URL: .* must be percent-encoded \(/ is %2F") as refused:
        load_settings()
    assert not any(part in str(refused.value) for part in ("hu", "sh@", "127.0.0.1"))


@pytest.mark.parametrize("password", ["hu%2Fsh", "hu:sh", "hu%40sh%3Aed", "hu sh", "hu%25sh", ""])
def test_an_encoded_password_is_accepted(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv(URL, f"postgresql://daybook:{password}@127.0.0.1:5432/daybook")
    assert load_settings().database_url.get_secret_value().endswith("/daybook")


@pytest.mark.parametrize("rest", ["localhost:many/x", "localhost:5432:1/x", "[::1/x", "localhost/x?sslmode"])
def test_an_invalid_address_is_refused(monkeypatch: pytest.MonkeyPatch, rest: str) -> None:
    monkeypatch.setenv(URL, f"postgresql://daybook:hush@{rest}")
    with pytest.raises(SettingsError, match=r"^DAYBOOK_DATABASE_URL: is no address: expected postgresql://") as refused:
        load_settings()
    assert "hush" not in str(refused.value)


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
        "db.example.org:5432,db2.example.org:5432/x?sslrootcert=/ca.pem&sslmode=verify-full",
    ],
)
def test_a_password_may_be_sent_to_this_machine_or_over_verified_tls(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(URL, f"postgresql://daybook:hush@{address}")
    load_settings()


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
def test_a_remote_postgresql_needs_verified_tls(monkeypatch: pytest.MonkeyPatch, address: str, host: str) -> None:
    monkeypatch.setenv(URL, f"postgresql://daybook:hush@{address}")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == (
        f"DAYBOOK_DATABASE_URL names {host}, so it needs sslmode=verify-full (and sslrootcert=FILE); "
        "or set DAYBOOK_INSECURE=allow"
    )
    monkeypatch.setenv("DAYBOOK_INSECURE", "allow")
    load_settings()


def test_pghost_is_used_if_the_address_has_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "postgresql:///x")
    load_settings()
    monkeypatch.setenv("PGHOST", "db.example.org")
    with pytest.raises(SettingsError, match=r"names db\.example\.org"):
        load_settings()


def test_sasl_without_tls_is_allowed_on_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_KAFKA_SECURITY", "SASL_PLAINTEXT")
    monkeypatch.setenv(KAFKA, "127.0.0.1:9092, [::1]:9092")
    load_settings()
    monkeypatch.setenv(KAFKA, "localhost:9092,kafka-2.example.org:9092")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == (
        "DAYBOOK_KAFKA_BOOTSTRAP names kafka-2.example.org, so DAYBOOK_KAFKA_SECURITY must be SASL_SSL; "
        "or set DAYBOOK_INSECURE=allow"
    )
    monkeypatch.setenv("DAYBOOK_INSECURE", "allow")
    load_settings()


def test_faults_of_both_servers_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "postgresql://daybook:hush@db.example.org/x")
    monkeypatch.setenv("DAYBOOK_KAFKA_SECURITY", "SASL_PLAINTEXT")
    monkeypatch.setenv(KAFKA, "kafka.example.org:9092")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert [line.partition(" ")[0] for line in str(refused.value).splitlines()] == [URL, KAFKA]
