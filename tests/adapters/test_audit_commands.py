"""`daybook audit verify` and `compare` as their users run them: exit codes, the last line of output, certificates."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support.auditing import unguarded
from support.logbook import log_with, org, project
from support.projecting import projecting, publish, until_projected
from support.shell import Completed, run_daybook

ORG = org(1)
FULL_DISK = Path("/dev/full")


@pytest.fixture(autouse=True)
async def _log(settings: Settings, pool: Pool) -> None:
    log = log_with(ORG)
    await publish(settings, log)
    async with projecting(settings):
        await until_projected(pool, log)


async def rename(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await unguarded(connection, f"UPDATE orgs SET name = 'altered' WHERE id = '{ORG}'")


async def test_a_valid_log_gives_valid_as_the_last_line_and_exit_code_0(settings: Settings) -> None:
    done = await run_daybook(settings, "audit", "verify")
    assert (done.code, done.stderr, done.stdout.splitlines()[-1]) == (0, "", "valid: topic, audit_log, tables")


async def test_the_last_line_names_the_first_bad_place(settings: Settings, pool: Pool) -> None:
    await rename(pool)
    done = await run_daybook(settings, "audit", "verify")
    assert done.code == 1
    assert done.stdout.splitlines()[-1] == (
        f'invalid: row: tables, table orgs, key {ORG}, field name, expected "a", found "altered"'
    )


async def test_a_source_that_was_asked_for_and_cannot_be_checked_gives_exit_code_2(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    done = await run_daybook(away, "audit", "verify", "--scope", "topic")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("could not check: the topic: ")
    others = await run_daybook(away, "audit", "verify")
    assert (others.code, others.stdout.splitlines()[-1]) == (0, "valid: audit_log, tables")
    assert "not reached: the topic" in others.stdout


async def test_a_server_that_refuses_the_login_is_reported(settings: Settings) -> None:
    server = settings.database_url.get_secret_value().rpartition("@")[2]
    refused = settings.model_copy(update={"database_url": SecretStr(f"postgresql://nobody:wrong@{server}")})
    done = await run_daybook(refused, "audit", "verify")
    assert (done.code, done.stdout.splitlines()[-1]) == (2, "valid: topic")
    assert "could not check audit_log and the tables: PostgreSQL at" in done.stdout


async def test_certificates_are_written_printed_and_compared(settings: Settings, pool: Pool, tmp_path: Path) -> None:
    kept = [str(tmp_path / name) for name in ("first.json", "second.json")]
    assert (await run_daybook(settings, "audit", "verify", "--certificate", kept[0])).code == 0
    printed = await run_daybook(settings, "audit", "verify", "--json", "--since", kept[0])
    assert json.loads(printed.stdout)["result"] == "valid"
    await rename(pool)
    assert (await run_daybook(settings, "audit", "verify", "--certificate", kept[1])).code == 1
    same = await run_daybook(settings, "audit", "compare", kept[0], kept[0])
    assert (same.code, same.stdout) == (0, "no change\n")
    other = await run_daybook(settings, "audit", "compare", *kept)
    assert other.code == 1
    assert other.stdout.splitlines()[-1] == "contradiction: table orgs differs, although the log is the same"


@pytest.mark.skipif(not FULL_DISK.exists(), reason="needs /dev/full, which only Linux has")
async def test_results_are_printed_even_if_the_certificate_cannot_be_written(settings: Settings) -> None:
    done = await run_daybook(settings, "audit", "verify", "--certificate", str(FULL_DISK))
    assert (done.code, done.stdout.splitlines()[-1]) == (2, "valid: topic, audit_log, tables")
    assert done.stderr.startswith("could not write the certificate: ")


async def test_a_file_that_is_no_certificate_is_refused(settings: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"kind":"x"}')
    for command in (("verify", "--since", str(other)), ("compare", str(other), str(other))):
        done = await run_daybook(settings, "audit", *command)
        assert (done.code, done.stdout) == (2, "")
        assert "is not a certificate" in done.stderr


async def test_tables_are_not_compared_since_a_certificate(settings: Settings, tmp_path: Path) -> None:
    (earlier := tmp_path / "earlier.json").touch()
    refused = await run_daybook(settings, "audit", "verify", "--since", str(earlier), "--scope", "tables")
    assert (refused.code, refused.stdout) == (2, "")
    assert "--since compares no tables" in refused.stderr


async def test_no_certificate_is_written_for_one_org(settings: Settings) -> None:
    assert (await run_daybook(settings, "audit", "verify", "--org", ORG)).code == 0
    refused = await run_daybook(settings, "audit", "verify", "--org", project(1), "--json")
    assert refused.code == 2
    assert "--org gives no certificate" in refused.stderr


@pytest.mark.parametrize("scopes", [(), ("--scope", "topic"), ("--scope", "tables")])
async def test_an_org_without_entries_cannot_be_checked(settings: Settings, scopes: tuple[str, ...]) -> None:
    refused = await run_daybook(settings, "audit", "verify", "--org", project(1), *scopes)
    assert refused == Completed(
        2, "", f"could not check: org {project(1)} has no projected entries: is the id right?\n"
    )
