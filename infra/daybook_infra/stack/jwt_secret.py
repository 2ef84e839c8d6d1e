"""The secret that a local stack signs its tokens with, made where none is set."""

import secrets

from pydantic import SecretStr

from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Say, Servers
from daybook_infra.stack.lock import lock_or_wait
from daybook_infra.stack.places import OWNER_ONLY, Home, write_file

SECRET_BYTES = 32


def local_secret(settings: Settings, home: Home, say: Say) -> SecretStr:
    """The settings' secret, else the one of this home, made the first time."""
    if settings.jwt_secret is not None:
        return settings.jwt_secret
    home.make()
    with lock_or_wait(home.lock("jwt-secret"), say):
        if not home.jwt_secret.is_file():
            write_file(home.jwt_secret, f"{secrets.token_urlsafe(SECRET_BYTES)}\n", OWNER_ONLY)
    return SecretStr(home.jwt_secret.read_text(encoding="utf-8").strip())


def env_with_secret(found: Servers, settings: Settings, home: Home) -> dict[str, str]:
    """What runs, and the secret if there is one: a shell's own setting stays as it is."""
    if settings.jwt_secret is not None or not home.jwt_secret.is_file():
        return found.env()
    return {**found.env(), "DAYBOOK_JWT_SECRET": home.jwt_secret.read_text(encoding="utf-8").strip()}
