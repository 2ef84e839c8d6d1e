"""A table stays the same table in another process: tables are compared by identity, and pickled by name."""

import pickle
from functools import partial
from importlib import import_module
from pkgutil import iter_modules

import pytest

from daybook_projector import projections
from daybook_projector.audit.fold.live_rows import is_of_org
from daybook_projector.audit.verify.workers import FEW_ENTRIES, open_workers
from daybook_projector.projections.changes import Table
from daybook_projector.projections.fold import TABLES
from daybook_projector.rebuild.differences import compared
from daybook_projector.rebuild.shadow_tables import ShadowTables
from support.listed_log import ignore_progress


def all_tables() -> list[Table]:
    """Every table that a module of the projections defines."""
    modules = [import_module(f"{projections.__name__}.{each.name}") for each in iter_modules(projections.__path__)]
    found = {member.name: member for module in modules for member in vars(module).values() if isinstance(member, Table)}
    assert found.keys() > {table.name for table in TABLES}
    return list(found.values())


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_a_pickled_table_is_the_same_table(table: Table) -> None:
    copied = pickle.loads(pickle.dumps(table))  # noqa: S301 - pickled here
    assert copied is table


async def test_another_process_has_the_same_rules_for_each_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    async with open_workers(FEW_ENTRIES + 1, ignore_progress) as workers:
        conditions = await workers.all([partial(is_of_org, table, "live") for table in TABLES])
        columns = await workers.all([partial(compared, table) for table in TABLES])
    assert conditions == [is_of_org(table, "live") for table in TABLES]
    assert columns == [compared(table) for table in TABLES]


def test_a_table_that_only_one_process_has_cannot_be_pickled() -> None:
    shadow = ShadowTables("pg_temp", TABLES).of(TABLES[0])
    with pytest.raises(TypeError, match=r"pg_temp\.shadow_users cannot be sent to another process"):
        pickle.dumps(shadow)
