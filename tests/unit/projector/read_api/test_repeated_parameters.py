"""A query parameter may be given only once, and checking this takes little work, however many parameters there are."""

import pytest

from daybook_infra.runtime.http.problems import RequestRefused
from daybook_projector.read_api.routes import refuse_repeated


class Name(str):
    """A name that counts how often it is compared with another one."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return super().__eq__(other)

    __hash__ = str.__hash__


def test_each_of_many_names_is_compared_with_few_others() -> None:
    names = [Name(f"n{number}") for number in range(1_000)]
    Name.compared = 0
    refuse_repeated(names)
    assert Name.compared < len(names)


def test_the_last_of_many_names_may_not_repeat_the_first() -> None:
    names = [f"n{number}" for number in range(1_000)]
    with pytest.raises(RequestRefused, match="a parameter is given more than once"):
        refuse_repeated([*names, "n0"])
