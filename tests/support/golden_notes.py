"""The golden transcript's notes: turns appended and published records into a text and an outcome for each command."""

import json
from collections import defaultdict

from daybook_command.kafka.answer_records import OutgoingRecord
from daybook_contracts.topics import CORRELATION_ID, ORIGIN, REASON, Topics

TOPICS = Topics("daybook.")


class Notes:
    """`texts` maps a command's number to what the command caused, in order, and `outcomes` to the kind of outcome, such
    as "accepted" or a code. An event that belongs to no command is noted for the latest one, whose number is `now`.
    """

    def __init__(self, first: int) -> None:
        self.now = first
        self.texts: defaultdict[int, list[str]] = defaultdict(list)
        self.outcomes: dict[int, str] = {}
        self._unanswered: defaultdict[str, list[int]] = defaultdict(list)
        self._ids: dict[int, str] = {}
        self._origins: dict[bytes, int] = {}

    def add(self, text: str, number: int | None = None) -> None:
        self.texts[self.now if number is None else number].append(text)

    def sent(self, command_id: str) -> None:
        self._ids[self.now] = command_id
        self._unanswered[command_id].append(self.now)

    def arrived(self, partition: int, offset: int) -> None:
        self._origins.setdefault(b"%s/%d/%d" % (TOPICS.commands.encode(), partition, offset), self.now)

    def appended(self, place: str, key: bytes, headers: object, value: bytes) -> str:
        """Notes the entry for the first unanswered command with its command id, and returns this id."""
        metadata = json.loads(value)["metadata_json"]
        command_id: str = metadata["command_id"]
        number = next(iter(self._unanswered.get(command_id, ())), self.now)
        self.add(f"append {place} key={key!r} {headers!r} {value!r}", number)
        unchanged = " unchanged" if metadata["data"].get("changed") is False else ""
        self.outcomes[number] = metadata["error"]["code"] if "error" in metadata else f"accepted{unchanged}"
        return command_id

    def published(self, record: OutgoingRecord) -> None:
        headers = dict(record.headers)
        origin = self._origins.get(headers.get(ORIGIN, b""), self.now)
        number = int(headers.get(CORRELATION_ID, b"%d" % origin))
        self.add(f"publish {_told(record)} instead {record.fallback and _told(record.fallback)}", number)
        if record.topic == TOPICS.commands:
            return
        if number in (unanswered := self._unanswered[self._ids.get(number, "")]):
            unanswered.remove(number)
        if record.topic == TOPICS.commands_dlq:
            self.outcomes.setdefault(number, headers[REASON].decode().partition(":")[0])
            return
        answer = json.loads(record.value or b"")
        if answer["result"] == "failure":
            self.outcomes[number] = answer["code"]
        else:
            self.outcomes.setdefault(number, "repeated")


def _told(record: OutgoingRecord) -> str:
    return f"{record.topic}/{record.partition} key={record.key!r} {record.headers!r} {record.value!r}"
