"""Tokens of `daybook token`: their claims, their secret, and what is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from daybook_contracts.senders.principals import Service, User
from daybook_infra.operations.cli import main
from daybook_infra.operations.tokens import TokenError, principal_of, sign, signing_secret
from daybook_infra.runtime.settings import Settings

SECRET = "a secret of thirty-two bytes, at least"
USER = "00000000-0000-4000-8000-00000000000A"
ANN, BILLING = User(USER.lower()), Service("billing")
NOW = datetime(2026, 11, 22, 15, 10, tzinfo=UTC)


def claims(token: str) -> dict[str, object]:
    return jwt.decode(token, SECRET, algorithms=["HS256"], audience="daybook", options={"verify_exp": False})


def test_the_token_of_a_user_has_the_id_in_lower_case() -> None:
    token = sign(Settings(), SECRET, principal_of(USER, None), NOW, timedelta(hours=1))
    assert claims(token) == {
        "sub": USER.lower(),
        "role": "authenticated",
        "aud": "daybook",
        "iat": NOW.timestamp(),
        "exp": NOW.timestamp() + 3600,
    }


def test_the_token_of_a_service_has_the_service_role() -> None:
    token = sign(Settings(), SECRET, principal_of(None, "billing"), NOW, timedelta(hours=1))
    assert (claims(token)["sub"], claims(token)["role"]) == ("billing", "service_role")


def test_exactly_one_of_user_and_service_must_be_given() -> None:
    assert principal_of(USER, None) == User(USER.lower())
    assert principal_of(None, "billing") == Service("billing")
    for user, service in ((None, None), (USER, "billing"), ("me", None), (None, "No Service"), (None, "daybook")):
        with pytest.raises(TokenError):
            principal_of(user, service)


@pytest.mark.parametrize("user", ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"])
def test_an_id_that_no_user_can_have_is_refused(user: str) -> None:
    with pytest.raises(TokenError, match="a user's id is a UUID, neither nil nor max"):
        principal_of(user, None)


@pytest.mark.parametrize("hours", ["nan", "inf", "0", "-1", "8761"])
def test_a_lifetime_that_is_not_positive_or_exceeds_a_year_is_refused(hours: str) -> None:
    shown = CliRunner().invoke(main, ["token", "--user", USER, "--hours", hours], env={"DAYBOOK_JWT_SECRET": SECRET})
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "'--hours'" in shown.stderr


@pytest.mark.parametrize(
    "options", [[], ["--user", USER, "--service", "billing"], ["--user", "me"], ["--service", "No Service"]]
)
def test_a_wrong_principal_is_a_usage_error(options: list[str]) -> None:
    shown = CliRunner().invoke(main, ["token", *options], env={"DAYBOOK_JWT_SECRET": SECRET})
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith("Usage: ")


def test_the_secret_in_the_settings_takes_precedence_over_the_local_stack(tmp_path: Path) -> None:
    file = tmp_path / "jwt-secret"
    file.write_text("f" * 32 + "\n", encoding="utf-8")
    assert signing_secret(Settings(jwt_secret=SecretStr(SECRET)), ANN, file) == SECRET
    assert signing_secret(Settings(), ANN, file) == "f" * 32


def test_a_missing_or_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="DAYBOOK_JWT_SECRET is not set"):
        signing_secret(Settings(), ANN, tmp_path / "jwt-secret")
    (tmp_path / "jwt-secret").write_text("short", encoding="utf-8")
    with pytest.raises(TokenError, match="fewer than 32 bytes"):
        signing_secret(Settings(), ANN, tmp_path / "jwt-secret")


def test_the_token_of_a_service_is_signed_with_the_service_secret_if_set() -> None:
    own = Settings(jwt_secret=SecretStr(SECRET), service_jwt_secret=SecretStr("s" * 32))
    assert signing_secret(own, BILLING, None) == "s" * 32
    assert signing_secret(own, ANN, None) == SECRET
    assert signing_secret(Settings(jwt_secret=SecretStr(SECRET)), BILLING, None) == SECRET
    published = Settings(jwt_secret=SecretStr(SECRET), service_jwks_url="https://login.example.org/keys")
    with pytest.raises(TokenError, match="DAYBOOK_SERVICE_JWT_SECRET is not: no secret can sign for a service"):
        signing_secret(published, BILLING, None)


def test_a_token_has_the_issuer_from_the_settings() -> None:
    token = sign(Settings(jwt_issuer="https://login"), SECRET, ANN, NOW, timedelta(hours=1))
    assert claims(token)["iss"] == "https://login"


def test_the_subcommand_prints_a_valid_token() -> None:
    shown = CliRunner().invoke(main, ["token", "--user", USER], env={"DAYBOOK_JWT_SECRET": SECRET})
    assert shown.exit_code == 0
    assert claims(shown.stdout.strip())["sub"] == USER.lower()
