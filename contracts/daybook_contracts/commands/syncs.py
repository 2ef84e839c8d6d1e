"""Commands about sync runs."""

from typing import Literal

from pydantic import Field

from daybook_contracts.commands.fields import (
    ChosenId,
    ChosenIdField,
    Data,
    Envelope,
    FreeText,
    ReasonField,
    Stats,
    Uuid,
)


class StartSyncData(Data):
    connection_id: Uuid
    sync_run_id: ChosenId | None = ChosenIdField


class StartSync(Envelope):
    """Starts a sync run. An active connection has at most one at a time."""

    type: Literal["START_SYNC"]
    data: StartSyncData


class CompleteSyncData(Data):
    sync_run_id: Uuid
    stats: Stats | None = Field(
        default=None, description="Any object of at most 64 KiB; secrets in it become `[redacted]`."
    )


class CompleteSync(Envelope):
    """Completes a running sync."""

    type: Literal["COMPLETE_SYNC"]
    data: CompleteSyncData


class FailSyncData(Data):
    sync_run_id: Uuid
    error_message: FreeText = Field(description="What went wrong. Secrets in it become `[redacted]`.")


class FailSync(Envelope):
    """Fails a running sync; may raise an alert."""

    type: Literal["FAIL_SYNC"]
    data: FailSyncData


class CancelSyncData(Data):
    sync_run_id: Uuid
    reason: FreeText | None = ReasonField


class CancelSync(Envelope):
    """Cancels a running sync."""

    type: Literal["CANCEL_SYNC"]
    data: CancelSyncData
