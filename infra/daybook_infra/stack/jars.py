"""Apache Kafka's published jars: fetched once by Maven into the checkout's `.daybook/`, used by every stack after."""

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from daybook_infra.stack.data import Programs
from daybook_infra.stack.interface import Say, StackError
from daybook_infra.stack.lock import lock_or_wait
from daybook_infra.stack.places import Home, checkout
from daybook_infra.stack.processes import Child, run

DOWNLOAD_SECONDS = 900
COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Jars:
    folder: Path
    label: str

    def programs(self) -> Programs:
        return Programs(self.folder.parent, (self.folder.name,), f"{self.folder.name}/{self.names[-1]}", self.label)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.jar"))


def fetched(home: Home, say: Say) -> Jars:
    """The jars that `infra/kafka/pom.xml` names, kept in `home`. Raises `StackError` where they cannot be fetched."""
    pom = checkout() / "infra" / "kafka" / "pom.xml"
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()
    version = _version(pom)
    home.make()
    jars = Jars(home.folder / "kafka" / version / "lib", f"kafka-{version}-{digest[:8]}")
    with lock_or_wait(home.lock("kafka-jars"), say):
        if not _is_complete(jars.folder, digest):
            say(f"fetching Apache Kafka {version} with mvn, once ...")
            _fetch(pom, jars.folder, digest)
    return jars


def _version(pom: Path) -> str:
    found = re.search(r"<kafka\.version>([\w.-]+)</", pom.read_text(encoding="utf-8"))
    if found is None:
        raise StackError(f"{pom} names no kafka.version: restore it")
    return found[1]


def _is_complete(folder: Path, digest: str) -> bool:
    marker = folder / COMPLETE
    return marker.is_file() and marker.read_text(encoding="utf-8") == digest


def _fetch(pom: Path, folder: Path, digest: str) -> None:
    """Into a folder of another name first, so that what was interrupted never looks like the whole."""
    mvn = shutil.which("mvn")
    if mvn is None:
        raise StackError(
            "mvn is missing, which fetches Kafka: install Maven (apt install maven, brew install maven, "
            "sdk install maven), or set DAYBOOK_KAFKA_BOOTSTRAP, or DAYBOOK_STACK=docker"
        )
    unfinished = folder.with_name("lib.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={unfinished}"]
    done = run(Child([mvn, "-q", "-B", "-f", str(pom), *goal], env=dict(os.environ)), seconds=DOWNLOAD_SECONDS)
    if done.code != 0 or not any(unfinished.glob("kafka_*.jar")):
        raise StackError(
            f"mvn could not fetch Kafka: {_reason(done.output)}; try again when its repository is in reach"
        )
    (unfinished / COMPLETE).write_text(digest, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _reason(output: str) -> str:
    """Maven's first line of error, without its markup."""
    for line in output.splitlines():
        if "ERROR" in line:
            return re.sub(r"\x1b\[[0-9;]*m|\[ERROR\]", "", line).strip()[:300]
    return "it said nothing"
