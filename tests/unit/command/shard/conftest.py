"""A lower limit for bulk commands, so that a few dead letters reach it."""

import pytest


@pytest.fixture
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bulk command with a filter takes at most three dead letters."""
    for place in ("daybook_command.domain.dead_letters_bulk", "daybook_command.domain.references"):
        monkeypatch.setattr(f"{place}.BULK_IDS", 3)
    monkeypatch.setattr("support.rows_of_orgs.BULK_IDS", 3)
