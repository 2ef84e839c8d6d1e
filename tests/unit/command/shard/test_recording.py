"""A shard admits its own entries from their bytes, as every reader does."""

import pytest

from daybook_command.shard import recording
from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.facts import OrgCreated
from daybook_contracts.entries.reading import read_entry
from daybook_contracts.log.sealing import seal
from support.deciding import append_decision
from support.given import ANN, command, given
from support.logbook import Logbook

RENAME = given(OrgCreated(name="Acme")).when(command("RENAME_ORG", by=ANN, name="New"))


def test_a_recorded_entry_reads_back_from_its_bytes() -> None:
    (value,) = append_decision(Logbook(), RENAME)
    assert read_entry(value).fact == RENAME.entries()[0].fact


@pytest.mark.parametrize("damage", [(b'"v":1', b'"v":2'), (b"{", b"{ "), (b"RENAME", b"Rename")])
def test_a_void_entry_is_not_appended(damage: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(entry: Entry) -> bytes:
        return seal(entry).replace(*damage, 1)

    monkeypatch.setattr(recording, "seal", damaged)
    with pytest.raises(recording.OwnEntryVoidError):
        append_decision(Logbook(), RENAME)
