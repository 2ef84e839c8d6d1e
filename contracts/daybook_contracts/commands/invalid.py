"""The one way to say that a command is malformed."""

from daybook_contracts.codes import Code


class InvalidCommand(Exception):
    """Refused at the edge: never decided, never logged.

    `detail` names the field and the rule, never a value. `command_id` is there where the id could be read.
    `too_large` tells the HTTP door to answer 413.
    """

    def __init__(self, code: Code, detail: str, command_id: str | None = None, *, too_large: bool = False) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.command_id = command_id
        self.too_large = too_large
