"""The ids that the projector reserves for the org whose service chose them."""

import pytest

from daybook_contracts.entries.identity import thing_id
from daybook_projector.projections.created_things import is_chosen
from support.commands import COMMAND_ID, ORG, THING, accepted

NO_UUIDV8 = "11111111-1111-8111-1111-111111111111"  # its variant is not that of RFC 9562, so its 8 is no version


@pytest.mark.parametrize("project_id", [THING, NO_UUIDV8])
def test_an_id_that_a_service_may_choose_counts_as_chosen(project_id: str) -> None:
    assert accepted("CREATE_PROJECT", {"name": "x", "project_id": project_id}).id == COMMAND_ID
    assert is_chosen(project_id)


def test_a_computed_id_does_not_count_as_chosen() -> None:
    assert not is_chosen(thing_id(ORG, COMMAND_ID))
