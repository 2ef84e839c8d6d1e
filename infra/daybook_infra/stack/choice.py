"""Which local stack the settings ask for. It starts nothing."""

from typing import assert_never

from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.docker import DockerStack
from daybook_infra.stack.embedded import EmbeddedStack
from daybook_infra.stack.interface import ALL_PARTS, Part, Say, Stack
from daybook_infra.stack.places import Home, checkout


def say_nothing(_: str) -> None:
    """For callers that only look."""


def stack_of(settings: Settings, say: Say = say_nothing) -> Stack:
    """The checkout's stack. Raises `StackError` outside a checkout."""
    match settings.stack:
        case "embedded":
            return EmbeddedStack(Home.of_checkout(), say)
        case "docker":
            return DockerStack(checkout(), Home.of_checkout(), say)
        case unknown:
            assert_never(unknown)


def parts_needed(settings: Settings) -> frozenset[Part]:
    """What the environment names no server for."""
    named = {Part.KAFKA: settings.kafka_bootstrap, Part.POSTGRES: settings.database_url.get_secret_value()}
    return frozenset(part for part in ALL_PARTS if not named[part])
