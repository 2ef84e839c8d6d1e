"""The settings of a command that needs servers: what the environment names, else the local stack that runs here.
Nothing is started.
"""

from pathlib import Path

from pydantic import SecretStr

from daybook_infra.runtime.settings import Settings, load_settings


def running_settings() -> Settings:
    """An address that is still empty has no server; whoever needs one says so (`require_kafka`, `require_database`)."""
    settings = load_settings()
    if settings.kafka_bootstrap and settings.database_url.get_secret_value():
        return settings
    from daybook_infra.stack.choice import stack_of
    from daybook_infra.stack.interface import StackError

    try:
        found = stack_of(settings).found()
    except StackError:
        # Not in a checkout, so there is no local stack either.
        return settings
    return settings.model_copy(
        update={
            "kafka_bootstrap": settings.kafka_bootstrap or found.kafka_bootstrap,
            "database_url": SecretStr(settings.database_url.get_secret_value() or found.database_url),
        }
    )


def local_jwt_secret() -> Path | None:
    """Where a local stack keeps its secret; None outside a checkout."""
    from daybook_infra.stack.interface import StackError
    from daybook_infra.stack.places import Home

    try:
        return Home.of_checkout().jwt_secret
    except StackError:
        return None
