"""The published formats of credentials, as a table of regular expressions.

Each expression takes time linear in the length of the text. It starts with a literal or a small class, so that a search
skips other text quickly; a look-behind then checks what precedes. A repetition without an upper bound is possessive,
and no second match can start inside it. With `re.ASCII`, a letter outside ASCII ends a token.
"""

import re
from typing import Final, NamedTuple

_MIXED: Final = "aB3dE5gH7jK9mN1pQ2sT4vW6yZ8" * 4
_HEX: Final = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2

# A value that is neither a placeholder nor masked already.
NOT_MASKED: Final = r"(?!(?:\$?\{{1,2}[\w. -]{0,60}\}{1,2}|\*++)(?:[@&#;\s\"'\0]|\Z))"
# Four characters of base64 that encode three printable ASCII characters. English words rarely consist of such groups.
_BASE64_OF_ASCII: Final = "[I-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/]"
_GAP: Final = r"(?:[\s:\"']|%20){1,4}"
_VALUE: Final = r"[\w.~+/=-]"
_PORT: Final = r"(?![0-9]{1,5}[?#,;)\]])"


class Pattern(NamedTuple):
    """`hint`: a lower-case text that every match contains, ignoring case. The secret is the group `secret` if there is
    one, otherwise the whole match.
    `by_name`: the match ends before a value. The value is a secret if the first group is a secret name
    (`is_secret_name`).
    `example` and `counterexample` are for tests: a text with a secret, and a similar one without.
    """

    name: str
    hint: str
    expression: re.Pattern[str]
    example: str
    counterexample: str
    by_name: bool = False


def _prefixed(prefix: str, body: str, before: str = "A-Za-z0-9") -> str:
    """A token that starts with `prefix` (of fixed width) and `body`, and extends over all further characters that
    tokens may contain. No character of the class `before` precedes it.
    """
    return rf"{prefix}(?<![{before}]{prefix}){body}[\w-]*+"


def _pattern(name: str, hint: str, expression: str, example: str, counterexample: str) -> Pattern:
    return Pattern(name, hint, re.compile(expression, re.ASCII), example, counterexample)


_KEYS_AND_TOKENS: Final = (
    _pattern(
        "PEM private key",
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY[^-\0]*+(?:-(?!----END )[^-\0]*+)*+(?:-----END [A-Z0-9 ]{0,60}-----)?",
        f"-----BEGIN RSA PRIVATE KEY-----\n{_MIXED}\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----",
    ),
    _pattern(
        "JWT",
        "eyj",
        r"eyJ(?<![\w-]eyJ)[\w-]{4,}+\.[\w-]{2,}+\.[\w-]*+(?:\.[\w-]++)*+",
        "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "eyJx",
    ),
    _pattern("AWS access key", "ia", _prefixed("A[KS]IA", "[A-Z0-9]{16}"), f"AKIA{'A1B2' * 4}", "AKIAlower"),
    _pattern("Google API key", "aiza", _prefixed("AIza", r"[\w-]{35}"), f"AIza{_MIXED[:35]}", "AIzaShort"),
    _pattern("Google OAuth token", "ya29.", _prefixed(r"ya29\.", r"[\w-]{20}"), f"ya29.{_MIXED[:60]}", "ya29.x"),
    _pattern("Google OAuth client", "gocspx-", _prefixed("GOCSPX-", r"[\w-]{20}"), f"GOCSPX-{_MIXED[:28]}", "GOCSPX-x"),
    _pattern(
        "Azure account key",
        "key=",
        r"ey=(?<=[ts][Kk]ey=)(?:(?<=[Aa]ccount.{4})|(?<=[Ss]hared[Aa]ccess.{4}))"
        r"(?P<secret>[A-Za-z0-9+/]{20}[A-Za-z0-9+/=]*+)",
        f"AccountName=shop;AccountKey={_MIXED[:86]}==;EndpointSuffix=core.windows.net",
        "AccountKey=none",
    ),
    _pattern(
        "Azure shared access signature",
        "sig=",
        r"sig=(?<![A-Za-z0-9]sig=)(?P<secret>[A-Za-z0-9+/%]{20}[A-Za-z0-9+/%=]*+)",
        f"sig={_MIXED[:43]}%3D",
        "sig=none",
    ),
    _pattern("Meta access token", "eaa", _prefixed("EAA", "[A-Za-z0-9]{30}"), f"EAAB{_MIXED[:100]}", "EAAshort"),
    _pattern(
        "Slack token",
        "xox",
        _prefixed("xox[a-z]", r"(?:\.xox[a-z])?-[\w-]{10}"),
        f"xoxb-123456-{_MIXED[:24]}",
        "xoxb-x",
    ),
    _pattern("Slack app token", "xapp-", _prefixed("xapp-", r"[\w-]{10}"), f"xapp-1-{_MIXED[:40]}", "xapp-x"),
    _pattern(
        "Slack webhook",
        "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[\w/]{20}[\w/]*+)",
        f"https://hooks.slack.com/services/T0001/B0001/{_MIXED[:24]}",
        "https://hooks.slack.com/services/",
    ),
    _pattern(
        "Stripe key",
        "k_",
        _prefixed("[sr]k_(?:live|test)_", "[A-Za-z0-9]{10}"),
        f"sk_live_{_MIXED[:24]}",
        "sk_test_mode",
    ),
    _pattern(
        "Stripe webhook secret", "whsec_", _prefixed("whsec_", r"[A-Za-z0-9+/]{10}"), f"whsec_{_MIXED[:32]}", "whsec_x"
    ),
    _pattern("GitHub token", "gh", _prefixed("gh[a-z]_", "[A-Za-z0-9]{10}"), f"ghp_{_MIXED[:36]}", "ghp_x"),
    _pattern(
        "GitHub fine-grained token",
        "github_pat_",
        _prefixed("github_pat_", r"\w{10}"),
        f"github_pat_{_MIXED[:82]}",
        "github_pat_x",
    ),
    _pattern("GitLab token", "glpat-", _prefixed("glpat-", r"[\w-]{10}"), f"glpat-{_MIXED[:20]}", "glpat-x"),
    _pattern(
        "OpenAI or Anthropic key",
        "sk-",
        _prefixed("sk-", r"(?:(?:ant|proj|svcacct|admin|or|None)-[\w-]{16}|[A-Za-z0-9]{20})"),
        f"sk-ant-api03-{_MIXED[:95]}",
        "sk-campaign-of-the-summer-in-slovakia",
    ),
    _pattern("npm token", "npm_", _prefixed("npm_", "[A-Za-z0-9]{30}"), f"npm_{_MIXED[:36]}", "npm_install"),
    _pattern(
        "PyPI token", "pypi-age", _prefixed("pypi-AgE", r"[\w-]{16}"), f"pypi-AgEIcHlwaS5vcmc{_MIXED[:60]}", "pypi-AgE"
    ),
    _pattern("Shopify token", "shp", _prefixed("shp[a-z]{2}_", "[0-9A-Fa-f]{32}"), f"shpat_{_HEX[:32]}", "shpat_x"),
    _pattern(
        "SendGrid key",
        "sg.",
        r"SG\.(?<![A-Za-z0-9]SG\.)[\w-]{16,}+\.[\w-]{16}[\w-]*+",
        f"SG.{_MIXED[:22]}.{_MIXED[:43]}",
        "SG.com.example",
    ),
    _pattern("Twilio key", "sk", _prefixed("SK", "[0-9a-f]{32}"), f"SK{_HEX[:32]}", f"AC{_HEX[:32]}"),
    _pattern(
        "Telegram bot token",
        ":aa",
        r":(?<=[0-9]{8}:)(?P<secret>AA[\w-]{28}[\w-]*+)",
        f"110201543:AAH{_MIXED[:32]}",
        "12:AAH",
    ),
    _pattern(
        "Discord bot token",
        ".",
        r"[MNO](?<![\w-].)[\w-]{23,27}\.[\w-]{6}\.[\w-]{27}[\w-]*+",
        f"M{_MIXED[:23]}.Gabc12.{_MIXED[:27]}",
        "Name.of.something",
    ),
    _pattern(
        "Discord webhook",
        "/api/webhooks/",
        r"/api/webhooks/[0-9]{15,22}/(?P<secret>[\w-]{20}[\w-]*+)",
        f"https://discord.com/api/webhooks/123456789012345678/{_MIXED[:68]}",
        "https://discord.com/api/webhooks/123456789012345678",
    ),
    _pattern("Hugging Face token", "hf_", _prefixed("hf_", "[A-Za-z0-9]{30}"), f"hf_{_MIXED[:34]}", "hf_model"),
    _pattern("DigitalOcean token", "_v1_", _prefixed("do[a-z]_v1_", "[0-9a-f]{40}"), f"dop_v1_{_HEX}", "dop_v1_x"),
    _pattern("Mailgun key", "key-", _prefixed("key-", "[0-9a-f]{32}"), f"key-{_HEX[:32]}", "key-1"),
    _pattern(
        "Mailgun account key",
        "-",
        r"[0-9a-f](?<![\w-].)[0-9a-f]{31}-[0-9a-f]{8}-[0-9a-f]{8}[\w-]*+",
        f"{_HEX[:32]}-0a1b2c3d-4e5f6071",
        "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0",
    ),
    _pattern("Square token", "sq0", _prefixed("sq0[a-z]{3}-", r"[\w-]{20}"), f"sq0atp-{_MIXED[:22]}", "sq0atp-x"),
    _pattern("Square access token", "eaaa", _prefixed("EAAA", r"[\w-]{60}"), f"EAAA-{_MIXED[:59]}", "EAAA-x"),
)

_IN_CONTEXT: Final = (
    _pattern(
        "bearer token",
        "bearer",
        r"[Bb][Ee][Aa][Rr][Ee][Rr](?<![A-Za-z0-9].{6})" + _GAP + rf"(?P<secret>(?={_VALUE}{{6}})"
        rf"(?:(?=[A-Za-z_.~+/=-]*+[0-9])|(?={_VALUE}*?[a-z][A-Z])|(?=[A-Za-z]{{24}})){_VALUE}++)",
        "Bearer mF_9.B5f-4.1JqM",
        "The bearer of this letter needs a bearer token.",
    ),
    _pattern(
        "basic credentials",
        "basic",
        r"[Bb][Aa][Ss][Ii][Cc](?<![A-Za-z0-9].{5})" + _GAP + r"(?P<secret>(?:"
        rf"(?=(?:{_BASE64_OF_ASCII}){{2,}}+(?![\w+/=-]))|(?=[A-Za-z0-9+/]{{6,}}+={{1,2}}(?![\w+/=-]))"
        r"|(?=[A-Za-z+/]*+[0-9])(?=[A-Za-z0-9+/]{12}))[\w+/=-]++)",
        "Basic " + "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Basic authentication",
    ),
    _pattern(
        "authorization header",
        "authorization",
        r"[Aa][Uu][Tt][Hh][Oo][Rr][Ii][Zz][Aa][Tt][Ii][Oo][Nn][\"']?\s{0,3}[:=]\s{0,3}[\"']?"
        r"(?:[Bb]earer|[Bb]asic|[Tt]oken|[Aa]pi[Kk]ey|BEARER|BASIC|TOKEN)\s{1,3}(?P<secret>[^\s\"',;\0]++)",
        "Authorization: Token abc",
        "Authorization: required",
    ),
    _pattern(
        "password in a URL",
        "://",
        r"://[^\s/:@\"'<>\0]*+:" + NOT_MASKED + _PORT + r"(?P<secret>[^\s/\"'<>\0]+)@",
        "postgresql://daybook:hunter2@localhost/daybook",
        "https://example.com:8443/@daybook",
    ),
    Pattern(
        "secret in a query parameter",
        "=",
        re.compile(r"[?&#;]([\w.%\[\]-]{1,100}+)=", re.ASCII),
        "https://example.com/cb?access_token=hunter2&page=2",
        "https://example.com/cb?token_type=user&page=2",
        by_name=True,
    ),
)

PATTERNS: Final = (*_KEYS_AND_TOKENS, *_IN_CONTEXT)
