"""The command id in a text that no parser took: bytes in, the id out, for the answer to name."""

from daybook_contracts.json_counts import windows
from daybook_contracts.limits import ENVELOPE_BYTES, ENVELOPE_VALUES
from daybook_contracts.text import uuid_text

_MOST_QUOTES = 4 * ENVELOPE_VALUES


def unread_id(raw: bytes) -> str | None:
    """The one `id` at the top of an object, of its first 256 KiB; None where there is none that is a UUID, or two.

    Takes time linear in the length: nothing is parsed, the text is only split at its quotes.
    """
    text = b"".join(windows(raw[:ENVELOPE_BYTES]))
    if text.count(b'"') > _MOST_QUOTES:
        return None
    pieces = text.split(b'"')  # strings are the odd ones
    depth, counted = 0, 0
    found: list[bytes] = []
    for at in range(1, len(pieces) - 2, 2):
        if pieces[at] == b"id" and pieces[at + 1].strip().startswith(b":"):
            before = b"".join(pieces[counted:at:2])
            depth += before.count(b"{") + before.count(b"[") - before.count(b"}") - before.count(b"]")
            counted = at + 1
            if depth == 1:
                found.append(pieces[at + 2] if pieces[at + 1].strip() == b":" else b"")
    try:
        return uuid_text(found[0].decode()) if len(found) == 1 else None
    except ValueError:
        return None
