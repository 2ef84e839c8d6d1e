"""Lower limits, so that a few commands reach them."""

import pytest


@pytest.fixture
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three dead letters, and counts that stop at two."""
    for place in ("daybook_command.domain.dead_letters_bulk", "daybook_command.shard.dead_letter_counts"):
        monkeypatch.setattr(f"{place}.BULK_IDS", 3)
    monkeypatch.setattr("support.rows_of_orgs.BULK_IDS", 3)
    monkeypatch.setattr("daybook_command.shard.dead_letter_counts.COUNTED", 2)
