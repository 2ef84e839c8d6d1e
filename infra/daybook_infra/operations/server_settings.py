"""Finds the settings of commands that need servers: from the environment, or else from the local stack. Starts
nothing.
"""

from pathlib import Path

from daybook_infra.runtime.settings import Settings, load_settings


def server_settings() -> Settings:
    """An address stays empty if no server was found; see `require_kafka` and `require_database`."""
    settings = load_settings()
    if settings.kafka_bootstrap and settings.database_url.get_secret_value():
        return settings
    from daybook_infra.stack.interface import StackError
    from daybook_infra.stack.local_settings import stack_of, with_local_servers

    try:
        return with_local_servers(settings, stack_of(settings).servers())
    except StackError:
        # Outside a checkout there is no local stack.
        return settings


def local_jwt_secret() -> Path | None:
    """The file of the local stack's token secret; None outside a checkout."""
    from daybook_infra.stack.interface import StackError
    from daybook_infra.stack.places import Home

    try:
        return Home.of_checkout().jwt_secret
    except StackError:
        return None
