"""Why an org stays as it is."""

from daybook_infra.runtime.errors import DaybookError


class Unhealable(DaybookError):
    """The message names the entry, or the row, and what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; nothing was changed")
