"""Commands about integration alerts."""

from typing import Literal

from pydantic import Field

from daybook_contracts.commands.fields import ChosenAlertId, ChosenIdField, Data, Envelope, FreeText, Uuid
from daybook_contracts.entries.fields import Severity


class RaiseAlertData(Data):
    alert_id: ChosenAlertId | None = ChosenIdField
    project_id: Uuid
    connection_id: Uuid | None = Field(default=None, description="A connection of the project, if it is about one.")
    severity: Severity
    message: FreeText


class RaiseAlert(Envelope):
    """Raises an alert by hand. Policies raise theirs without a command."""

    type: Literal["RAISE_ALERT"]
    data: RaiseAlertData


class ResolveAlertData(Data):
    alert_id: Uuid


class ResolveAlert(Envelope):
    """Resolves an alert. It remains only in the log."""

    type: Literal["RESOLVE_ALERT"]
    data: ResolveAlertData
