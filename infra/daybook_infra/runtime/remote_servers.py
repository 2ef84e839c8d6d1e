"""Finds servers to which a password would be sent without verified TLS, and database addresses that asyncpg would
misread: addresses in, a fault out. Opens no connection.
"""

import os
import re
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

LARGEST_PORT = 65_535
SCHEMES = ("postgresql://", "postgres://")
ENCODED = "/ is %2F, ? is %3F, # is %23, @ is %40, [ is %5B, ] is %5D, % is %25"
# If a password has one of these unencoded, the address ends too early, or a part of the password is read as the host.
_MUST_BE_ENCODED = re.compile(r"[/?#@\[\]]|%(?![0-9A-Fa-f]{2})")
_FILE_OPTIONS = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(:\d{1,5})?")


def find_address_fault(url: str) -> str | None:
    """What is wrong with a database's address; None if nothing is. The text never quotes the address."""
    if not url.startswith(SCHEMES):
        return "must begin with postgresql://"
    userinfo = url.partition("://")[2].rpartition("@")[0]
    if _MUST_BE_ENCODED.search(userinfo):
        return f"the user or password holds a character that must be percent-encoded ({ENCODED})"
    try:
        parts = urlsplit(url)
        if parts.query:
            parse_qs(parts.query, strict_parsing=True)
    except ValueError:
        parts = None
    if parts is None or not all(map(_is_address, parts.netloc.rpartition("@")[2].split(","))):
        return "is not an address: expected postgresql://user:password@host:port/name"
    return None


def find_file_fault(url: str) -> str | None:
    """Which file of a database's address cannot be read; None if all can be, or if the address demands no TLS."""
    options = _options_of(url)
    if options.get("sslmode") == "disable":
        return None
    unreadable = [name for name in _FILE_OPTIONS if name in options and not os.access(options[name], os.R_OK)]
    return f"{unreadable[0]} names a file that cannot be read" if unreadable else None


def find_bootstrap_fault(bootstrap: str) -> str | None:
    """What is wrong with a list of Kafka servers; None if nothing is."""
    servers = [server.strip() for server in bootstrap.split(",") if server.strip()]
    if not servers or not all(_is_address(server) or _is_ip_address(server) for server in servers):
        return f"must be host:port,… with ports from 1 to {LARGEST_PORT}"
    return None


def find_unverified_host(url: str) -> str | None:
    """The first host on another machine, unless the address demands TLS with a verified host name."""
    parts = urlsplit(url)
    options = _options_of(url)
    if options.get("sslmode") == "verify-full":
        return None
    hosts = parts.netloc.rpartition("@")[2] or options.get("host", "")
    if not hosts and ("service" in options or "PGSERVICE" in os.environ):
        return "a host that a service file names"
    # If the address has no host, asyncpg uses PGHOST, or else this machine.
    return _first_remote(hosts or os.environ.get("PGHOST", ""))


def find_remote_broker(bootstrap: str) -> str | None:
    """The first broker on another machine."""
    return _first_remote(bootstrap)


def _options_of(url: str) -> dict[str, str]:
    """Of an option that is given twice, the last value counts."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}


def _is_address(text: str) -> bool:
    """Whether the text is a host, with or without a port."""
    found = _HOST.fullmatch(text)
    return found is not None and (found[2] is None or 1 <= int(found[2][1:]) <= LARGEST_PORT)


def _first_remote(hosts: str) -> str | None:
    names = (unquote(_host_of(each.strip())) for each in hosts.split(","))
    return next((name for name in names if not _is_local(name)), None)


def _host_of(address: str) -> str:
    found = _HOST.fullmatch(address)
    return address if found is None else found[1].strip("[]")


def _is_local(host: str) -> bool:
    """An empty name and a path stand for a Unix socket."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    return _is_ip_address(host) and ip_address(host).is_loopback


def _is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
