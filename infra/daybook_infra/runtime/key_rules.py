"""Rules for keys and for the URLs of published keys: a text in, the same text out, or ValueError.
No message quotes a key.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

# A key is at least as long as the HMAC's hash, SHA-256. It is printable, so that it is the same text in TOML, in the
# environment and in a file of its own.
SIGNING_KEY_LENGTH: Final = 32
_SIGNING_KEY: Final = re.compile(rf"[!-~]{{{SIGNING_KEY_LENGTH},}}")
_PORTS: Final = {"https": 443, "http": 80}


def check_signing_key(text: str) -> str:
    """A key that signs records on the commands topic. Raises ValueError."""
    if _SIGNING_KEY.fullmatch(text) is None:
        raise ValueError(f"must have at least {SIGNING_KEY_LENGTH} characters, printable ASCII without spaces")
    return text


def check_keys_url(text: str) -> str:
    """A URL of published keys. Raises ValueError if another server could answer in its place, or if it has a login."""
    parts = _split_url(text)
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))):
        raise ValueError("must be https, or http on loopback: whoever answers there decides whose tokens are valid")
    if "@" in parts.netloc:
        raise ValueError("must have no user name or password: published keys are public, so none is sent")
    return text


def lead_to_same_keys(one: str, other: str) -> bool:
    """Both must be URLs that `check_keys_url` accepts."""
    return _normal_form(one) == _normal_form(other)


def _normal_form(text: str) -> tuple[object, ...]:
    parts = _split_url(text)
    if parts is None:
        return (text,)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme), parts.path or "/", parts.query


def _split_url(text: str) -> SplitResult | None:
    """None if the text is not a URL with a host."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises if the port is invalid
    except ValueError:
        return None
    return parts if parts.hostname else None


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost":
        return host is not None
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
