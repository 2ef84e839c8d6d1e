"""Commands about dead letters: events of a source that could not be processed."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from daybook_contracts.commands.fields import (
    ChosenId,
    ChosenIdField,
    Data,
    Envelope,
    FreeText,
    Payload,
    ReasonField,
    Uuid,
)
from daybook_contracts.entries.fields import Resolution
from daybook_contracts.limits import BULK_IDS, RETRY_COUNT


class RecordDlqEventData(Data):
    connection_id: Uuid
    dlq_event_id: ChosenId | None = ChosenIdField
    payload: Payload = Field(
        description="The event: any JSON of at most 64 KiB, or a string if it is not JSON. `hottok` is removed."
    )
    error: FreeText | None = Field(
        default=None,
        description="Why the event could not be processed. Secrets in it become `[redacted]`.",
    )

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "payload": self.payload}  # null is a payload too


class RecordDlqEvent(Envelope):
    """Records a pending dead letter, for inactive connections too."""

    type: Literal["RECORD_DLQ_EVENT"]
    data: RecordDlqEventData


class RetryDlqEventData(Data):
    dlq_event_id: Uuid


class RetryDlqEvent(Envelope):
    """Counts one more retry of a pending dead letter."""

    type: Literal["RETRY_DLQ_EVENT"]
    data: RetryDlqEventData


class ResolveDlqEventData(Data):
    dlq_event_id: Uuid
    resolution: Resolution
    reason: FreeText | None = ReasonField


class ResolveDlqEvent(Envelope):
    """Resolves a pending dead letter."""

    type: Literal["RESOLVE_DLQ_EVENT"]
    data: ResolveDlqEventData


class PendingFilter(Data):
    """Pending dead letters in ascending order of their ids, at most 1000."""

    max_retry_count: Annotated[int, Field(ge=0, le=RETRY_COUNT)] | None = Field(
        default=None, description="Only those with at most this retry count."
    )


# An error names only the first bad id: naming all of them would take longer than parsing the rest of the command.
_Ids = Annotated[tuple[Uuid, ...], Field(strict=False, fail_fast=True, min_length=1, max_length=BULK_IDS)]


class _BulkData(Data):
    connection_id: Uuid
    ids: _Ids | None = Field(default=None, description="Dead letters of the connection. Duplicate ids count once.")
    filter: PendingFilter | None = Field(default=None, description="Either ids or a filter, never both.")

    @model_validator(mode="after")
    def _ids_or_filter(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("must give exactly one of ids and filter")
        return self

    def to_json(self) -> dict[str, Any]:
        chosen = {"ids": list(self.ids)} if self.ids is not None else {}
        matched = {"filter": self.filter.to_json()} if self.filter is not None else {}
        return {**super().to_json(), **chosen, **matched}


class RetryDlqEventsData(_BulkData):
    pass


class RetryDlqEvents(Envelope):
    """Counts one more retry of many dead letters. Resolved ones are skipped."""

    type: Literal["RETRY_DLQ_EVENTS"]
    data: RetryDlqEventsData


class ResolveDlqEventsData(_BulkData):
    resolution: Resolution
    reason: FreeText | None = ReasonField


class ResolveDlqEvents(Envelope):
    """Resolves many dead letters. Resolved ones are skipped."""

    type: Literal["RESOLVE_DLQ_EVENTS"]
    data: ResolveDlqEventsData
