"""Which names say that what they name is secret, such as `accessToken`, `api-key`, `smtp.password`."""

import re
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

_ONE_WORD: Final = frozenset(
    {
        *("password", "passwd", "pwd", "passphrase", "senha", "secret", "token", "hottok", "basic", "bearer"),
        *("authorization", "auth", "credential", "credentials", "signature", "sig", "cookie"),
    }
)
# Also written as one.
_TWO_WORDS: Final = frozenset(
    {
        *("apikey", "privatekey", "accesskey", "accountkey", "clientsecret"),
        *("appsecret", "accesstoken", "refreshtoken", "authtoken"),
    }
)
_WORDS: Final = _ONE_WORD | _TWO_WORDS
# A name that ends so tells of a secret, and is none: `token_type`, `access_key_id`, `secret_id_ref`.
_LAST_WORDS: Final = frozenset({"id", "ids", "type", "expires", "at", "url", "ref", "name", "version", "environment"})

# Every secret name has one of these; most names have none.
_STEMS: Final = (
    "pass",
    "pwd",
    "senha",
    "secret",
    "tok",
    "basic",
    "bearer",
    "auth",
    "credential",
    "sig",
    "cookie",
    "key",
)
STEM: Final = re.compile("|".join(_STEMS))
# `apiKEY`, `APIKey` and `tokenIDs` end a word where the case changes.
_DIGIT: Final = re.compile("[0-9]")
# `password2` is a password; Auth0 is a company.
_NUMBER: Final = re.compile(r"(?<=[^\W\d_])(?<!\bauth)[0-9]+\b")
_WORD: Final = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^A-Z\W_]+|[A-Z]+")


def may_hold_secret_name(text: str) -> bool:
    """False where no word of the text could be a secret name: quick for texts of any length."""
    low = text.lower()
    return any(stem in low for stem in _STEMS)


def is_secret_name(name: str) -> bool:
    """By the name's words, which end at `-`, `_`, `.`, at whatever else is no letter or digit, and at case changes."""
    if not STEM.search(name.lower()):
        return False
    words = _words(unquote(name) if "%" in name else name)
    if words[-1] in _LAST_WORDS:
        return False
    if not _WORDS.isdisjoint(words):
        return True
    # Two at a time finds `api_key`, and `hotTok`.
    return len(words) > 1 and not _WORDS.isdisjoint(map("".join, pairwise(words)))


def _words(name: str) -> list[str]:
    """In lower case, without numbers behind them."""
    joined = " ".join(_WORD.findall(name)).lower()
    return (_NUMBER.sub("", joined) if _DIGIT.search(joined) else joined).split(" ")
