"""Normalising is idempotent: the HTTP door publishes a command in its normal form, and parsing that gives the same
command.
"""

import json
from contextlib import suppress
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from daybook_contracts.commands.batch import parse_batch
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.normalised import data_json, normalised_bytes
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import COMMANDS
from support.chain import Json
from support.command_strategies import envelopes, values


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_command_round_trips_through_its_normal_form(kind: str) -> None:
    @settings(max_examples=30)
    @given(envelopes((kind,)))
    def round_trips(envelope: Json) -> None:
        command = parse_command(json.dumps(envelope).encode())
        normal = normalised_bytes(command)
        assert parse_command(normal) == command
        assert normalised_bytes(parse_command(normal)) == normal

    round_trips()


@given(envelopes())
def test_the_normal_form_is_canonical_and_contains_the_data(envelope: Json) -> None:
    command = parse_command(json.dumps(envelope, indent=1).encode())
    normal = json.loads(normalised_bytes(command))
    assert rfc8785.dumps(normal) == normalised_bytes(command)
    assert rfc8785.dumps(normal["data"]) == data_json(command)
    assert normal.keys() == {"id", "type", "org_id", "actor_user_id", "data"}


@given(values | st.lists(values) | envelopes())
def test_any_json_value_is_parsed_or_refused(value: Any) -> None:
    text = json.dumps(value).encode()
    for parse in (parse_command, parse_batch):
        with suppress(InvalidCommand):
            parse(text)


@given(st.binary(max_size=40) | st.text('[]{}",:0 \\', max_size=40).map(str.encode))
def test_any_bytes_are_parsed_or_refused(text: bytes) -> None:
    for parse in (parse_command, parse_batch):
        with suppress(InvalidCommand):
            parse(text)
