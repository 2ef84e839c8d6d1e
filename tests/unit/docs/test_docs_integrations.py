"""The page on integrations against the code: its examples are valid, its tables and lists are complete."""

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter

from daybook_command.domain.policies import _CRITICAL_PENDING, CRITICAL_FAILURES
from daybook_command.postgres.overdue_runs import PAUSE_SECONDS
from daybook_contracts.commands.fields import SecretIdRef
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.connection_types.configs import CONNECTION_TYPES, checked_config
from daybook_contracts.connection_types.hotmart import Event
from daybook_contracts.entries.facts import ACTION_OF
from daybook_contracts.entries.fields import Rule
from daybook_contracts.limits import BULK_IDS, MAX_REMAINING, REMAINING_COUNTED
from daybook_contracts.secrets.names import _HARMLESS_LAST_WORDS, _SECRET_WORDS
from daybook_contracts.secrets.patterns import PATTERNS
from daybook_infra.runtime.settings import Settings
from daybook_projector.projections import dlq_events, integration_alerts, secret_refs, source_connections, sync_runs
from support.documents import blocks, json_values, page, section

PAGE = page("docs/integrations.md")
IDS = {"id": "0199f000-0000-7000-8000-000000000901", "org_id": "0199f000-0000-7000-8000-000000000902"}
EXAMPLES = [example for block in blocks(PAGE, "json") for example in json_values(block.text)]
HUB = (source_connections, sync_runs, dlq_events, integration_alerts, secret_refs)
ROW = re.compile(r"^\| (`.*) \|$", re.MULTILINE)


def part_of_page(title: str, level: int = 3) -> str:
    """The text under a heading, up to the next heading of any level."""
    found = re.search(rf"^{'#' * level} {re.escape(title)}\n(.*?)(?=^#+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def rows(text: str) -> Iterator[list[str]]:
    return (re.split(r" ?\| ", row) for row in ROW.findall(text))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_an_example_is_a_valid_command_with_a_valid_config(example: dict[str, Any]) -> None:
    command = parse_command(json.dumps(IDS | example).encode())
    if command.type == "CREATE_CONNECTION":
        checked_config(example["data"]["type"], example["data"]["config"])


@pytest.mark.parametrize("type_", CONNECTION_TYPES)
def test_the_table_of_a_connection_type_lists_its_fields(type_: str) -> None:
    listed = {field.replace("`", "") for field, _ in rows(part_of_page(f"`{type_}`"))}
    assert listed == set(fields(CONNECTION_TYPES[type_], ""))


def fields(model: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{path}{name}.")
        else:
            yield f"{path}{name}{'' if field.is_required() else '?'}"


def test_every_hotmart_event_is_listed() -> None:
    ((listed,),) = (values for field, *values in rows(part_of_page("`hotmart`")) if field == "`events`")
    assert set(re.findall(r"`(\w+)`", listed)) == set(get_args(Event))


def test_every_form_of_a_secret_reference_has_a_valid_example() -> None:
    reference = TypeAdapter[str](SecretIdRef)
    examples = [example.strip("`") for _, example in rows(part_of_page("Secret references"))]
    assert {reference.validate_python(each).split(":")[0] for each in examples} == {
        "pgvault",
        "aws-sm",
        "vault",
        "gcp-sm",
        "env",
    }


def test_the_keys_that_name_a_secret_are_listed() -> None:
    text = part_of_page("What counts as a secret")
    words, rest = text.split("in any case: ", 1)[1].split(". Words end", 1)
    assert set(re.findall(r"`(\w+)`", words)) == _SECRET_WORDS
    last = rest.split("last word is one of ", 1)[1].split(" names no secret", 1)[0]
    assert set(re.findall(r"`(\w+)`", last)) == _HARMLESS_LAST_WORDS


def test_the_secret_formats_are_listed() -> None:
    listed = part_of_page("What counts as a secret").split("published format:", 1)[1].strip().split("\n\n", 1)[0]
    assert listed.replace("\n", " ").rstrip(".").split("; ") == [pattern.name for pattern in PATTERNS]


def test_the_table_of_policies_lists_each_rule_and_its_threshold() -> None:
    thresholds = {
        "sync_failing": f"the last {CRITICAL_FAILURES} failed",
        "dlq_backlog": f"{_CRITICAL_PENDING} are pending",
        "sync_stalled": "1 run",
    }
    policies = part_of_page("Alerts and policies", level=2).split("The messages:")[0]
    listed = {rule.strip("`"): critical for rule, _, _, critical, _ in rows(policies)}
    assert listed == thresholds
    assert set(listed) == set(get_args(Rule))


def test_the_tables_of_the_hub_are_listed_with_the_actions_that_change_them() -> None:
    text = section(page("docs/tables.md"), "The ten tables").split("### The hub's tables", 1)[1]
    listed = {name.strip("`"): set(re.findall(r"`([A-Z_]+)`", " ".join(cells))) for name, *cells in rows(text)}
    expected = {each.__name__.rpartition(".")[2]: {ACTION_OF[fact] for fact in each.RULES} for each in HUB}
    assert listed == expected


def test_the_numbers_on_the_page_are_correct() -> None:
    limit = Settings.model_fields["sync_max_seconds"].default
    for sentence in (
        f"`DAYBOOK_SYNC_MAX_SECONDS` ({limit:,}, a day)",
        f"looks for such runs every {PAUSE_SECONDS:g} seconds",
        f"touch up to {BULK_IDS} in one entry",
        f"exact up to {REMAINING_COUNTED:,}; {MAX_REMAINING} means more",
    ):
        assert sentence in " ".join(PAGE.split()), sentence
