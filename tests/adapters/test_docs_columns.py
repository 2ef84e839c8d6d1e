"""docs/tables.md against the schema created by the migrations: tables, columns, and which of them are nullable."""

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
# The name of a column, an optional type, and a `?` if it is nullable.
COLUMN = re.compile(r"`(\w+)`(?: \w+)?(\?)?")


async def test_the_page_describes_the_tables_as_they_are(fresh_settings: FreshSettings) -> None:
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
