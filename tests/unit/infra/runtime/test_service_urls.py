"""The address that a service logs in with: the configured address, with the service's login and password."""

import pytest
from pydantic import SecretStr

from daybook_infra.runtime.postgres.logins import service_url
from daybook_infra.runtime.settings import Settings


def url_of(address: str, **passwords: SecretStr) -> str:
    settings = Settings.model_validate({"database_url": SecretStr(address), **passwords})
    return service_url(settings, "projector").get_secret_value()


@pytest.mark.parametrize("rest", ["127.0.0.1:5432/daybook", "localhost/d?sslmode=disable", "[::1]:5432/d"])
@pytest.mark.parametrize("user", ["", "owner@", "owner:hush@", "owner:a%40b@"])
def test_the_address_has_the_services_login_and_encoded_password(user: str, rest: str) -> None:
    found = url_of(f"postgresql://{user}{rest}", projector_password=SecretStr("a/b@c:d%"))
    assert found == f"postgresql://daybook_projector_login:a%2Fb%40c%3Ad%25@{rest}"


def test_without_its_own_password_a_service_uses_the_configured_address() -> None:
    address = "postgresql://owner:hush@127.0.0.1:5432/daybook"
    assert url_of(address, command_password=SecretStr("of the other")) == address
