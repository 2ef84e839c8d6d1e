"""Makes `open_workers` use several processes, even for a short log and on one core."""

from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from daybook_projector.audit.verify import workers


def use_processes(monkeypatch: pytest.MonkeyPatch) -> list[ProcessPoolExecutor]:
    """From now on, jobs that read the log run in two processes. Each pool of processes is added to the list, so that a
    test can check that there was one.
    """
    pools: list[ProcessPoolExecutor] = []

    class Recorded(ProcessPoolExecutor):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            pools.append(self)

    monkeypatch.setattr(workers, "FEW_ENTRIES", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(workers, "ProcessPoolExecutor", Recorded)
    return pools
