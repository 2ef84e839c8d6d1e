"""Which faults of a database's address are refused, and when. Its files are checked before the first connection that
needs them, and never again.
"""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from daybook_infra.runtime.errors import DatabaseAway, SettingsError
from daybook_infra.runtime.postgres.connections import connect, open_pool
from daybook_infra.runtime.settings import Settings, as_administrator
from support.variables import load_with

OPTIONS = ["sslrootcert", "sslcert", "sslkey", "sslcrl"]


def address_with(option: str, file: Path, mode: str = "verify-full") -> str:
    """The address of a port at which nothing listens."""
    return f"postgresql://daybook:hush@127.0.0.1:1/daybook?sslmode={mode}&{option}={file}"


async def attempt(settings: Settings, *, pooled: bool = False) -> None:
    async with AsyncExitStack() as stack:
        if pooled:
            await stack.enter_async_context(await open_pool(settings, "test"))
        else:
            await stack.enter_async_context(connect(settings, "test"))


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("pooled", [False, True])
async def test_a_file_that_cannot_be_read_is_refused_before_the_first_connection(
    tmp_path: Path, option: str, *, pooled: bool
) -> None:
    settings = load_with(DAYBOOK_DATABASE_URL=address_with(option, tmp_path / "absent.pem"))
    for _ in range(2):
        with pytest.raises(SettingsError) as refused:
            await attempt(settings, pooled=pooled)
        assert str(refused.value) == f"DAYBOOK_DATABASE_URL: {option} names a file that cannot be read"


async def test_a_file_of_the_administrators_address_is_refused_only_where_it_is_used(tmp_path: Path) -> None:
    """A service has this address in its environment too, but not the key."""
    settings = load_with(
        DAYBOOK_DATABASE_URL="postgresql://daybook:hush@127.0.0.1:1/daybook",
        DAYBOOK_ADMIN_DATABASE_URL=address_with("sslkey", tmp_path / "absent.pem"),
    )
    with pytest.raises(DatabaseAway):
        await attempt(settings)
    with pytest.raises(SettingsError, match=r"^DAYBOOK_ADMIN_DATABASE_URL: sslkey names a file"):
        await attempt(as_administrator(settings))


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("setting", ["DAYBOOK_DATABASE_URL", "DAYBOOK_ADMIN_DATABASE_URL"])
async def test_an_option_with_a_wrong_value_is_refused_under_the_name_of_its_setting(
    setting: str, *, pooled: bool
) -> None:
    addresses = dict.fromkeys(["DAYBOOK_DATABASE_URL", setting], "postgresql://daybook:hush@127.0.0.1:1/daybook")
    addresses[setting] += "?sslmode=no"
    settings = load_with(**addresses)
    with pytest.raises(SettingsError, match=f"^{setting}: `sslmode` parameter must be one of"):
        await attempt(as_administrator(settings), pooled=pooled)


@pytest.mark.parametrize("option", OPTIONS)
async def test_a_file_that_is_replaced_ends_no_running_service(tmp_path: Path, option: str) -> None:
    file = tmp_path / "rotated.pem"
    file.touch()
    settings = load_with(DAYBOOK_DATABASE_URL=address_with(option, file, mode="require"))
    with pytest.raises(DatabaseAway):
        await attempt(settings)
    file.unlink()
    for pooled in (False, True):
        with pytest.raises(DatabaseAway):
            await attempt(settings, pooled=pooled)


async def test_files_are_not_needed_without_tls(tmp_path: Path) -> None:
    with pytest.raises(DatabaseAway):
        await attempt(
            load_with(DAYBOOK_DATABASE_URL=address_with("sslrootcert", tmp_path / "absent.pem", mode="disable"))
        )
