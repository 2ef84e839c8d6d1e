"""Which lines `daybook send` can publish, and the key of their records."""

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.results import Rejected
from daybook_infra.operations.addressing import AddressedCommand, address

ORG = "00000000-0000-4000-8000-00000000000a"
COMMAND = "01890000-0000-7000-8000-000000000002"


def test_the_key_of_a_command_is_its_org_in_lower_case() -> None:
    raw = f'{{"id":"{COMMAND.upper()}","type":"RENAME_ORG","org_id":"{ORG.upper()}","data":{{"name":"x"}}}}'.encode()
    assert address(raw) == AddressedCommand(raw, COMMAND, ORG)


def test_the_key_of_a_registration_is_its_user() -> None:
    raw = f'{{"id":"{COMMAND}","type":"REGISTER_USER","data":{{"user_id":"{ORG.upper()}"}}}}'.encode()
    assert address(raw) == AddressedCommand(raw, COMMAND, ORG)


def test_other_faults_are_left_to_the_shard() -> None:
    raw = f'{{"id":"{COMMAND}","type":"CONQUER","org_id":"{ORG}","data":[],"more":1}}'.encode()
    assert address(raw) == AddressedCommand(raw, COMMAND, ORG)


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"not json", "not an envelope"),
        (b"[]", "not an envelope"),
        (b'"\xff"', "not an envelope"),
        (b'{"id":' + b"[" * 3000 + b"]" * 3000 + b"}", "not an envelope"),
        (b'{"type":"REGISTER_USER","data":' + b'{"a":' * 3000 + b"1" + b"}" * 3001, "not an envelope"),
        (f'{{"org_id":"{ORG}"}}'.encode(), "id: must be a UUID"),
        (f'{{"id":7,"org_id":"{ORG}"}}'.encode(), "id: must be a UUID"),
        (f'{{"id":"{COMMAND}"}}'.encode(), "org_id: must be a UUID"),
        (f'{{"id":"{COMMAND}","org_id":null}}'.encode(), "org_id: must be a UUID"),
        (f'{{"id":"{COMMAND}","type":"REGISTER_USER"}}'.encode(), "data.user_id: must be a UUID"),
        (f'{{"id":"{COMMAND}","type":"REGISTER_USER","data":3}}'.encode(), "not an envelope"),
        (b" " * (256 * 1024 + 1), "larger than"),
    ],
)
def test_a_line_without_readable_id_and_key_is_refused_before_publishing(raw: bytes, detail: str) -> None:
    refused = address(raw)
    assert isinstance(refused, Rejected)
    assert refused.code == Code.INVALID_COMMAND
    assert detail in refused.detail
