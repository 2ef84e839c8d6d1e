"""Says which extra to install if a package that is optional is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from daybook_client.errors import Misuse


@contextmanager
def needing(extra: Literal["http", "kafka"]) -> Iterator[None]:
    """Around imports of modules that need the extra. Raises Misuse if a package is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise Misuse(f"{package} is not installed: install daybook-client[{extra}]") from error
