"""The table of codes: HTTP status, title and problem type."""

import pytest

from daybook_contracts.codes import HTTP_STATUS, TITLE, Code, problem_type

_EXPECTED = {
    400: {"INVALID_COMMAND", "INVALID_QUERY"},
    401: {"UNAUTHENTICATED"},
    403: {"FORBIDDEN"},
    422: {"INVALID_CONFIG", "SECRET_IN_CONFIG"},
    429: {"TOO_MANY_REQUESTS"},
    500: {"INTERNAL"},
    503: {"ORG_QUARANTINED", "UNAVAILABLE"},
    504: {"NOT_PROJECTED"},
}


def _expected(code: Code) -> int:
    if code.value.endswith("NOT_FOUND"):
        return 404
    return next((status for status, codes in _EXPECTED.items() if code.value in codes), 409)


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_status_and_a_title(code: Code) -> None:
    assert HTTP_STATUS[code] == _expected(code)
    assert TITLE[code]


def test_a_problem_type_is_a_urn_with_the_code() -> None:
    assert problem_type(Code.LAST_OWNER) == "urn:daybook:problem:LAST_OWNER"


def test_the_text_of_a_code_is_its_name() -> None:
    assert all(code.name == code.value == str(code) for code in Code)
