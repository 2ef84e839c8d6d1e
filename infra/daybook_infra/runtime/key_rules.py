"""What a key or the address of published keys must look like: texts in, the same texts out, or ValueError.
No message quotes a key.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

# As long as the hash. Printable, so that it is the same text in TOML, in the environment and in a file of its own.
SIGNING_KEY_LENGTH: Final = 32
_SIGNING_KEY: Final = re.compile(rf"[!-~]{{{SIGNING_KEY_LENGTH},}}")
_PORTS: Final = {"https": 443, "http": 80}


def signing_key(text: str) -> str:
    """A key of records on the commands topic; raises ValueError."""
    if _SIGNING_KEY.fullmatch(text) is None:
        raise ValueError(f"must have at least {SIGNING_KEY_LENGTH} characters, printable ASCII without spaces")
    return text


def keys_url(text: str) -> str:
    """An address of published keys; raises ValueError where others could answer for it on the way."""
    parts = _split(text)
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))):
        raise ValueError("must be https, or http on loopback: whoever answers there decides whose tokens are valid")
    return text


def same_keys_url(one: str, other: str) -> bool:
    """Whether two addresses, each as `keys_url` takes it, lead to the same keys."""
    return _place(one) == _place(other)


def _place(text: str) -> tuple[object, ...]:
    parts = _split(text)
    if parts is None:
        return (text,)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme), parts.path or "/", parts.query


def _split(text: str) -> SplitResult | None:
    """None where it is no URL with a host."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it raises where it is none
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
