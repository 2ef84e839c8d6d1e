"""The client's items and iterators have the fields and filters of the read API."""

import inspect
from typing import Any, get_type_hints

import msgspec
import pytest
from pydantic import JsonValue

from daybook_client import items
from daybook_client.http.reader import Reader
from daybook_projector.read_api.models import Item
from daybook_projector.read_api.resource import Resource
from daybook_projector.read_api.resources import RESOURCES

ITEMS: dict[str, type[msgspec.Struct]] = {
    "OrgItem": items.Org,
    "MemberItem": items.Member,
    "ProjectItem": items.Project,
    "ProjectMemberItem": items.ProjectMember,
    "ConnectionItem": items.Connection,
    "SyncRunItem": items.SyncRun,
    "DeadLetterItem": items.DeadLetter,
    "AlertItem": items.Alert,
    "SecretRefItem": items.SecretRef,
    "EntryItem": items.LogEntry,
}


def method_of(resource: Resource) -> str:
    name = resource.path.rpartition("/")[2].replace("-", "_")
    return "project_members" if resource.path.endswith("{project_id}/members") else name


def types_of(model: type[Item]) -> dict[str, Any]:
    return {
        name: Any if hint == JsonValue else hint
        for name, hint in get_type_hints(model).items()
        if name in model.model_fields
    }


@pytest.mark.parametrize("resource", RESOURCES, ids=method_of)
def test_an_item_has_the_columns_of_the_read_api(resource: Resource) -> None:
    assert get_type_hints(ITEMS[resource.model.__name__]) == types_of(resource.model)


@pytest.mark.parametrize("resource", RESOURCES, ids=method_of)
def test_an_iterator_has_the_filters_of_the_read_api(resource: Resource) -> None:
    parameters = inspect.signature(getattr(Reader, method_of(resource))).parameters
    named = {name for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY}
    assert named == {each.name for each in (*resource.filters, *resource.bounded_filters)} | {"after"}
