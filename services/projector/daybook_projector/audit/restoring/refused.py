"""Why a topic is not restored. Nothing was changed."""

from daybook_infra.runtime.errors import DaybookError


class Refused(DaybookError):
    """The user has to do something first. The message says what."""


class OtherRecords(Refused):
    """The topic has records that are not the first entries of `audit_log`."""

    def __init__(self, topic: str, partition: int, what: str) -> None:
        super().__init__(
            f"{topic}, partition {partition}, {what}. A sound topic needs no restoring; `daybook audit verify` shows "
            "whether it is sound. If it is damaged, copy what you may still need, delete the topic "
            f"(kafka-topics.sh --bootstrap-server ... --delete --topic {topic}), and begin again"
        )
