"""Recognises names whose values are secrets, such as `accessToken`, `api-key` and `smtp.password`."""

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
# Two words each, which may be written as one.
_TWO_WORDS: Final = frozenset(
    {
        *("apikey", "privatekey", "accesskey", "accountkey", "clientsecret"),
        *("appsecret", "accesstoken", "refreshtoken", "authtoken"),
    }
)
_SECRET_WORDS: Final = _ONE_WORD | _TWO_WORDS
# The value of a name that ends in one of these is not secret: `token_type`, `access_key_id`, `secret_id_ref`.
_HARMLESS_LAST_WORDS: Final = frozenset(
    {"id", "ids", "type", "expires", "at", "url", "ref", "name", "version", "environment"}
)

# Every secret name contains one of these, and most other names do not.
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
_DIGIT: Final = re.compile("[0-9]")
# `password2` is a password; Auth0 is a company.
_TRAILING_NUMBER: Final = re.compile(r"(?<=[^\W\d_])(?<!\bauth)[0-9]+\b")
# A word ends where the case changes: `apiKEY`, `APIKey`, `tokenIDs`.
_WORD: Final = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^A-Z\W_]+|[A-Z]+")


def may_hold_secret_name(text: str) -> bool:
    """False if no word of the text can be a secret name. Fast for texts of any length."""
    low = text.lower()
    return any(map(low.__contains__, _STEMS))


def is_secret_name(name: str) -> bool:
    """Whether the value of the name is a secret, judged by the words of the name. A word ends where the case changes,
    and at each character that is neither a letter nor a digit.
    """
    if not STEM.search(name.lower()):
        return False
    words = _words(unquote(name) if "%" in name else name)
    if words[-1] in _HARMLESS_LAST_WORDS:
        return False
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    # Pairs of words, for names such as `api_key` and `hotTok`.
    return len(words) > 1 and not _SECRET_WORDS.isdisjoint(map("".join, pairwise(words)))


def _words(name: str) -> list[str]:
    """The words in lower case, without the numbers at their ends."""
    joined = " ".join(_WORD.findall(name)).lower()
    return (_TRAILING_NUMBER.sub("", joined) if _DIGIT.search(joined) else joined).split(" ")
