"""Why a topic is not restored. Nothing was changed."""

from daybook_infra.runtime.errors import DaybookError


class Refused(DaybookError):
    """Something has to be done first."""


class OtherRecords(Refused):
    """The topic has records that are not the first entries of `audit_log`."""

    def __init__(self, topic: str, partition: int, what: str) -> None:
        super().__init__(
            f"{topic}, partition {partition}, {what}. A topic that is sound needs no restoring (`daybook audit verify` "
            "tells), and this command deletes nothing: if it is damaged, copy what you may still need, delete it "
            f"(kafka-topics.sh --bootstrap-server ... --delete --topic {topic}), and begin again"
        )
