"""Errors inside a temporary folder that do not mean that it is full."""

import errno
import sqlite3

import pytest

from daybook_projector.audit.fold.scratch import scratch_folder


@pytest.mark.parametrize("statement", ["SELECT * FROM missing", "SELECT"])
def test_a_wrong_statement_is_not_taken_for_a_full_folder(statement: str) -> None:
    with pytest.raises(sqlite3.OperationalError), scratch_folder("daybook-test-") as folder:
        sqlite3.connect(folder / "rows.sqlite").execute(statement)


def test_another_error_of_the_system_is_not_taken_for_a_full_folder() -> None:
    with pytest.raises(OSError, match="refused"), scratch_folder("daybook-test-"):
        raise OSError(errno.ECONNREFUSED, "refused")
