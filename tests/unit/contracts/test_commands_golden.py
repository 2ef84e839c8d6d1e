"""Golden samples of commands: what publishers send today must mean the same in every later version."""

import json

import pytest

from daybook_contracts.commands.normalised import data_json, normalised_bytes
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.entries.hashing import request_hash
from support.documents import ROOT

_SAMPLES = ROOT / "contracts" / "samples" / "commands"
_SALT = bytes.fromhex("00112233445566778899aabbccddeeff")


def test_every_type_has_a_sample() -> None:
    names = {path.name for path in _SAMPLES.iterdir()}
    assert names == {f"{kind}.v1{suffix}.json" for kind in COMMANDS for suffix in ("", ".expected")}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_sample_keeps_its_normal_form_and_its_request_hash(kind: str) -> None:
    expected = json.loads((_SAMPLES / f"{kind}.v1.expected.json").read_text("utf-8"))
    command = parse_command((_SAMPLES / f"{kind}.v1.json").read_bytes())
    assert normalised_bytes(command).decode() == expected["normalised"]
    request = request_hash(_SALT, command.type, command.org_id, command.actor_user_id, data_json(command))
    assert (command.type, request) == (kind, expected["request"])
