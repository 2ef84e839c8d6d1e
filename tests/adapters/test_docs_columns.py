"""docs/tables.md against the schema that the migrations make: its tables, columns and which of them may be null."""

import re
from collections.abc import Iterator

import asyncpg

from support.documents import page, section
from support.stack import FreshSettings

COLUMNS = """
SELECT table_name, column_name, is_nullable = 'YES' AS nullable
FROM information_schema.columns WHERE table_schema = 'public'
"""
BOOKKEEPING = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'daybook'"
# A column's name, maybe its type, and a `?` behind either.
COLUMN = re.compile(r"`(\w+)`(?: \w+)?(\?)?")


async def test_the_ten_tables_are_described_as_they_are(fresh_settings: FreshSettings) -> None:
    connection = await asyncpg.connect(fresh_settings().database_url.get_secret_value())
    try:
        found = {(table, column, nullable) for table, column, nullable in await connection.fetch(COLUMNS)}
        bookkeeping = {row[0] for row in await connection.fetch(BOOKKEEPING)}
    finally:
        await connection.close()
    text = page("docs/tables.md")
    assert set(described(section(text, "The ten tables"))) == found
    assert set(re.findall(r"^\| `(\w+)` \|", section(text, "Schema daybook"), re.MULTILINE)) == bookkeeping


def described(text: str) -> Iterator[tuple[str, str, bool]]:
    for table, columns in re.findall(r"^\| `(\w+)` \| (.*?) \| PK", text, re.MULTILINE):
        for column, nullable in COLUMN.findall(columns):
            yield table, column, nullable == "?"
