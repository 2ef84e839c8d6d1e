"""The table of credential formats: what it finds, what it leaves alone, and that each row is needed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybook_contracts.codes import Code
from daybook_contracts.secrets.patterns import PATTERNS, Pattern
from daybook_contracts.secrets.redaction import REDACTED, contains_secret, first_secret, redacted, secret_spans
from daybook_contracts.secrets.scan import find_secret
from support.commands import THING, accepted, raw, refused
from support.secret_corpus import PLAIN, SECRETS

_CONFIG = {"connection_id": THING}


def test_the_corpus_is_large_enough() -> None:
    assert len(SECRETS) >= 60
    assert len(set(PLAIN)) == len(PLAIN) >= 60


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_credential_in_a_published_format_is_refused_in_a_config_and_as_a_reference(text: str) -> None:
    configs = ({"note": text}, {"secrets": {"hottok": text}}, {"a": [{"b": [text]}]}, {text: 1})
    commands = [raw("UPDATE_CONNECTION", _CONFIG | {"config": config}) for config in configs]
    for command in (*commands, raw("ROTATE_SECRET_REF", {"secret_ref_id": THING, "secret_id_ref": text})):
        refusal = refused(command)
        assert refusal.code is Code.SECRET_IN_CONFIG
        assert text not in refusal.detail
        assert "hunter2" not in refusal.detail


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_credential_is_redacted_in_a_free_text(text: str) -> None:
    shown = redacted(f"it failed: {text}")
    assert REDACTED in shown
    assert not contains_secret(shown)
    assert "hunter2" not in shown
    assert max((len(word) for word in shown.split()), default=0) < 120


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_that_only_resembles_a_credential_is_accepted(text: str) -> None:
    command = accepted("UPDATE_CONNECTION", _CONFIG | {"config": {"note": text, "list": [text], text: 1}})
    assert command.type == "UPDATE_CONNECTION"
    assert redacted(text) == text


def _finds(pattern: Pattern, text: str) -> bool:
    return pattern.hint in text.lower() and any(secret_spans(pattern, text))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_each_pattern_finds_a_secret_that_no_other_finds(pattern: Pattern) -> None:
    others = [other for other in PATTERNS if other is not pattern]
    only = [name for name, text in SECRETS.items() if not any(_finds(other, text) for other in others)]
    assert only
    assert all(_finds(pattern, SECRETS[name]) for name in only)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_each_pattern_matches_its_example_and_not_its_counterexample(pattern: Pattern) -> None:
    assert _finds(pattern, pattern.example)
    assert not _finds(pattern, pattern.counterexample)
    assert not contains_secret(pattern.counterexample)


def test_redaction_keeps_the_rest_of_the_text() -> None:
    sent = "GET https://shop:hunter2@example.com/o?page=2&access_token=hunter2#top: 401, sent Bearer hunter2"
    assert redacted(sent) == sent.replace("hunter2", REDACTED)


_PIECES = st.one_of(
    st.sampled_from([*SECRETS.values(), *PLAIN, *(pattern.example for pattern in PATTERNS), REDACTED]),
    st.sampled_from(
        ["://u:", "@", "?token=", "&", "=", ".", "-", "_", ":", " ", "Bearer ", "Basic ", "eyJ", "\n", "/", "sk_", "é"]
    ),
    st.text(max_size=8),
)


@settings(max_examples=400)
@given(st.lists(_PIECES, max_size=6))
def test_redaction_is_idempotent_and_leaves_no_secret(pieces: list[str]) -> None:
    once = redacted("".join(pieces))
    assert redacted(once) == once
    assert not contains_secret(once)


def test_parameters_after_the_first_thousand_names_count_as_secret() -> None:
    names = [f"key{index}" for index in range(1500)]
    shown = redacted("".join(f"?{name}=x" for name in names))
    assert shown.startswith("?key0=x?key1=x")
    assert shown.endswith(f"?key999=x?key1000={REDACTED}")


def test_a_text_with_very_many_secrets_is_replaced_as_a_whole() -> None:
    assert redacted("?token=a" * 3) == f"?token={REDACTED}"
    assert redacted("?token=a&" * 5000) == REDACTED


def test_a_config_with_too_many_suspicious_names_counts_as_secret() -> None:
    few, many = ({f"key_{index}_{'x' * 90}": "x" for index in range(count)} for count in (500, 1_000))
    assert find_secret({"data": {"config": few}}) is None
    assert find_secret({"data": {"config": many}}) is not None


def test_names_after_the_first_5000_are_checked_together() -> None:
    plain = "".join(f"?p{index}=x&" for index in range(6_000))
    assert redacted(plain) == plain
    assert first_secret(f"{plain}?api_version=x") is None
    assert first_secret(f"{plain}?token=x") is not None


def test_a_long_text_with_a_secret_is_replaced_as_a_whole() -> None:
    assert redacted("?token=a" + " " * 70_000) == REDACTED
    assert redacted("?token=a" + " " * 60_000).startswith(f"?token={REDACTED} ")
