"""Systems with their own stack, for one benchmark."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daybook_infra.runtime.settings import Settings
from support.processes import Systems
from support.stack import Fresh, servers


@contextmanager
def own_systems() -> Iterator[Systems]:
    with servers(Settings()) as found, tempfile.TemporaryDirectory() as folder:
        fresh = Fresh(found)
        systems = Systems(fresh, Path(folder))
        try:
            yield systems
        finally:
            systems.stop()
            fresh.drop()
