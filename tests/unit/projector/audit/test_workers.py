"""A worker process that ends early is an error."""

import os
from functools import partial

import pytest

from daybook_projector.audit.verify.workers import FEW_ENTRIES, WorkerLost, open_workers
from support.listed_log import ignore_progress


async def test_a_worker_that_exits_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    async with open_workers(FEW_ENTRIES + 1, ignore_progress) as workers:
        assert await workers.all([partial(abs, -1)]) == [1]
        with pytest.raises(WorkerLost):
            await workers.all([partial(os._exit, 0)])
