"""Whether a password could be read on its way to a server: addresses in, a fault out. Nothing is connected to.
asyncpg reads the database's address in its own way; what it would misread is refused here.
"""

import os
import re
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

SCHEMES = ("postgresql://", "postgres://")
ENCODED = "/ is %2F, ? is %3F, # is %23, @ is %40, [ is %5B, ] is %5D, % is %25"
# A password with one of these ends the address too early, or moves part of itself into the host.
_UNENCODED = re.compile(r"[/?#@\[\]]|%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(:\d{1,5})?")


def address_fault(url: str) -> str | None:
    """What is wrong with a database's address, never quoting it."""
    if not url.startswith(SCHEMES):
        return "must begin with postgresql://"
    userinfo = url.partition("://")[2].rpartition("@")[0]
    if _UNENCODED.search(userinfo):
        return f"the user or password holds a character that must be percent-encoded ({ENCODED})"
    try:
        parts = urlsplit(url)
        if parts.query:
            parse_qs(parts.query, strict_parsing=True)
    except ValueError:
        parts = None
    hosts = parts.netloc.rpartition("@")[2].split(",") if parts is not None else ["["]
    if not all(_HOST.fullmatch(host) for host in hosts):
        return "is no address: expected postgresql://user:password@host:port/name"
    return None


def unverified_database(url: str) -> str | None:
    """The first host off this machine, unless TLS proves that it is the one which is meant."""
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if options.get("sslmode") == "verify-full":
        return None
    hosts = parts.netloc.rpartition("@")[2] or options.get("host", "")
    if not hosts and ("service" in options or "PGSERVICE" in os.environ):
        return "a host that a service file names"
    # Without any, asyncpg takes the environment's, else this machine's.
    return _remote(hosts or os.environ.get("PGHOST", ""))


def unencrypted_kafka(bootstrap: str) -> str | None:
    """The first broker off this machine."""
    return _remote(bootstrap)


def _remote(hosts: str) -> str | None:
    names = (unquote(_host(each.strip())) for each in hosts.split(","))
    return next((name for name in names if not _is_here(name)), None)


def _host(address: str) -> str:
    found = _HOST.fullmatch(address)
    return address if found is None else found[1].strip("[]")


def _is_here(host: str) -> bool:
    """A Unix socket is a path, or not named at all."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
