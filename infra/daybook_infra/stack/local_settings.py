"""Adds the local stack's servers, JWT secret and passwords to the settings, and chooses the stack. Starts nothing."""

import secrets
from pathlib import Path
from typing import assert_never

from pydantic import SecretStr

from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.docker import DockerStack
from daybook_infra.stack.embedded import EmbeddedStack
from daybook_infra.stack.interface import ALL_PARTS, Part, Say, Servers, Stack
from daybook_infra.stack.lock import lock_or_wait
from daybook_infra.stack.places import OWNER_ONLY, Home, checkout, write_file

SECRET_BYTES = 32


def stack_of(settings: Settings, say: Say = lambda _: None) -> Stack:
    """The checkout's stack of the kind that the settings name. Raises `StackError` outside a checkout."""
    match settings.stack:
        case "embedded":
            return EmbeddedStack(Home.of_checkout(), say)
        case "docker":
            return DockerStack(checkout(), Home.of_checkout(), say)
        case unknown:
            assert_never(unknown)


def parts_needed(settings: Settings) -> frozenset[Part]:
    """The servers that the local stack has to run, because the settings do not name them."""
    named = {Part.KAFKA: settings.kafka_bootstrap, Part.POSTGRES: settings.database_url.get_secret_value()}
    return frozenset(part for part in ALL_PARTS if not named[part])


def with_local_servers(settings: Settings, servers: Servers) -> Settings:
    """Adds the local servers' addresses where the settings name no server."""
    return settings.model_copy(
        update={
            "kafka_bootstrap": settings.kafka_bootstrap or servers.kafka_bootstrap,
            "database_url": SecretStr(settings.database_url.get_secret_value() or servers.database_url),
        }
    )


def local_secret(settings: Settings, home: Home, say: Say) -> SecretStr:
    """The settings' JWT secret, or else this home's secret, which the first call creates."""
    return settings.jwt_secret or _secret_in(home.jwt_secret, home, say)


def with_local_passwords(settings: Settings, home: Home, say: Say) -> Settings:
    """Where the settings have no password for a service's login, adds this home's, which the first call creates."""
    return settings.model_copy(
        update={
            "command_password": settings.command_password or _secret_in(home.password("command"), home, say),
            "projector_password": settings.projector_password or _secret_in(home.password("projector"), home, say),
        }
    )


def _secret_in(file: Path, home: Home, say: Say) -> SecretStr:
    home.make()
    with lock_or_wait(home.lock("jwt-secret"), say):
        if not file.is_file():
            write_file(file, f"{secrets.token_urlsafe(SECRET_BYTES)}\n", OWNER_ONLY)
    return SecretStr(file.read_text(encoding="utf-8").strip())


def env_with_secret(servers: Servers, settings: Settings, home: Home) -> dict[str, str]:
    """Variables for a shell: the running servers, and the home's JWT secret unless the settings have one."""
    if settings.jwt_secret is not None or not home.jwt_secret.is_file():
        return servers.env()
    return {**servers.env(), "DAYBOOK_JWT_SECRET": home.jwt_secret.read_text(encoding="utf-8").strip()}
