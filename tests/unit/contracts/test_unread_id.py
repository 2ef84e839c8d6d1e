"""The command id is found in a text that cannot be parsed, so that the refusal can name the command."""

import pytest

from daybook_contracts.commands.parse import find_command_id
from daybook_contracts.limits import ENVELOPE_BYTES
from support.commands import COMMAND_ID, THING

ID = b'"id":"%b"' % COMMAND_ID.encode()


@pytest.mark.parametrize(
    "text",
    [
        b'{"x":NaN,%b}' % ID,
        b'{%b,"x":"\\"}' % ID,
        b'{"x":"\\\\","y":"\xff",%b' % ID,
        b'{"x":{"id":"%b"},"y":[[]],%b,' % (THING.encode(), ID),
        b'{ "id" : "%b" ' % COMMAND_ID.upper().encode(),
        b'{"x":"id", "y":":", %b}' % ID,
        b'{%b,"x":"%b"' % (ID, b"x" * ENVELOPE_BYTES),
    ],
)
def test_a_single_top_level_id_is_found(text: bytes) -> None:
    assert find_command_id(text) == COMMAND_ID


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'"id"',
        b'{"id":5}',
        b'{"id":"x"}',
        b'{"id":"\xff"}',
        b"[{%b}]" % ID,
        b'{"data":{%b}}' % ID,
        b"{%b,%b}" % (ID, ID),
        b'{"id":5,%b}' % ID,
        b'{"x":"{%b}"}' % ID.replace(b'"', b'\\"'),
        b'{"x":"%b",%b}' % (b"x" * ENVELOPE_BYTES, ID),
        b'"' * ENVELOPE_BYTES + ID,
    ],
)
def test_no_id_is_found_in_any_other_text(text: bytes) -> None:
    assert find_command_id(text) is None
