"""The change table of docs/architecture.md: each change has at most three places, and each place exists."""

import re

import pytest

from support.documents import ROOT, page, section

PACKAGES = {
    "contracts/client/": "contracts/client/",
    "client/": "contracts/client/daybook_client/",
    "command/": "services/command/daybook_command/",
    "projector/": "services/projector/daybook_projector/",
    "contracts/": "contracts/daybook_contracts/",
    "infra/": "infra/daybook_infra/",
}
MIGRATIONS = "infra/postgres/migrations/"


def changes() -> list[tuple[str, list[str]]]:
    table = section(page("docs/architecture.md"), "I want to change ...")
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    return [(what, re.findall(r"`([^`]+)`", where)) for what, where in rows if "`" in where]


def real_path(place: str) -> str:
    if place == MIGRATIONS:
        return place
    package = next((prefix for prefix in PACKAGES if place.startswith(prefix)), "")
    return PACKAGES.get(package, "") + place.removeprefix(package)


@pytest.mark.parametrize(("what", "places"), changes(), ids=[what for what, _ in changes()])
def test_a_change_has_at_most_three_places_and_each_exists(what: str, places: list[str]) -> None:
    assert 1 <= len(places) <= 3, what
    assert [place for place in places if not (ROOT / real_path(place)).exists()] == []


def test_more_than_30_rows_of_the_table_are_checked() -> None:
    assert len(changes()) > 30
