"""The compose file, the images, and the containers that tests use. Without a Docker daemon, they are read but
not run.
"""

import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.postgres.logins import COMMAND, PROJECTOR
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.docker import PORT_NAMES, DockerStack
from daybook_infra.stack.interface import ALL_PARTS, Part, Servers, StackError
from daybook_infra.stack.places import Home, checkout
from daybook_infra.stack.ports import LOOPBACK, remembered_ports
from daybook_infra.stack.processes import Child, run
from support.containers import containers
from support.sql import run as run_sql

DOCKER = shutil.which("docker")
SECRETS = (
    "DAYBOOK_POSTGRES_PASSWORD",
    "DAYBOOK_COMMAND_PASSWORD",
    "DAYBOOK_PROJECTOR_PASSWORD",
    "DAYBOOK_JWT_SECRET",
)
ANSWERS = DOCKER is not None and run(Child([DOCKER, "compose", "ls"], env=os.environ), seconds=20).code == 0
WITH_DAEMON = pytest.mark.skipif(not ANSWERS, reason="needs a running Docker daemon and docker compose")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((checkout() / "docker-compose.yml").read_text(encoding="utf-8"))
    return read


@pytest.fixture
def docker_stack(tmp_path: Path) -> Iterator[DockerStack]:
    stack = DockerStack(checkout(), Home(tmp_path / "home"), print)
    yield stack
    stack._compose("down", "--volumes")


def test_every_image_has_a_pinned_tag(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert re.search(r":\d+\.\d+", service["image"]), service["image"]


def test_ports_are_published_on_loopback_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_services_wait_for_their_dependencies_and_have_health_checks(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for server in ("kafka", "postgres"):
        assert services[server]["healthcheck"]["test"]
        assert services["init"]["depends_on"][server]["condition"] == "service_healthy"
    for service in ("command", "projector"):
        assert services[service]["depends_on"]["init"]["condition"] == "service_completed_successfully"
        assert "HEALTHCHECK" in _dockerfile(service)


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (checkout() / "docker-compose.yml").read_text(encoding="utf-8")
    for name in SECRETS:
        uses = re.findall(rf"\$\{{{name}(\S\S)", text)
        assert uses
        assert set(uses) == {":?"}


def test_each_service_has_its_own_login_and_only_init_uses_the_owners(compose: dict[str, Any]) -> None:
    logins = {
        (service, setting, login)
        for service, declared in compose["services"].items()
        for setting, value in declared.get("environment", {}).items()
        for login in re.findall(r"^postgresql://(\w+):", value)
    }
    assert logins == {
        ("init", "DAYBOOK_ADMIN_DATABASE_URL", "daybook"),
        ("command", "DAYBOOK_DATABASE_URL", COMMAND.name),
        ("projector", "DAYBOOK_DATABASE_URL", PROJECTOR.name),
    }


def test_the_data_is_in_named_volumes(compose: dict[str, Any]) -> None:
    assert set(compose["volumes"]) == {"kafka", "postgres"}
    for server in ("kafka", "postgres"):
        assert [volume.split(":")[0] for volume in compose["services"][server]["volumes"]] == [server]


@pytest.mark.parametrize("service", ["command", "projector"])
def test_no_container_runs_as_root(compose: dict[str, Any], service: str) -> None:
    assert compose["services"]["kafka"]["user"] not in {"root", "0"}
    assert compose["services"]["postgres"]["user"] not in {"root", "0"}
    users = re.findall(r"^USER (\w+)", _dockerfile(service), re.MULTILINE)
    assert users == ["daybook"]


def test_compose_runs_the_same_kafka_as_the_embedded_stack(compose: dict[str, Any]) -> None:
    pom = (checkout() / "infra" / "kafka" / "pom.xml").read_text(encoding="utf-8")
    assert f"<kafka.version>{compose['services']['kafka']['image'].split(':')[1]}</" in pom


def test_a_missing_docker_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"docker is not installed: install it, or unset DAYBOOK_STACK"):
        DockerStack(checkout(), Home(tmp_path / "home"), print).start()


def test_each_checkout_and_the_compose_file_itself_have_their_own_data(tmp_path: Path) -> None:
    ours, theirs = (DockerStack(checkout(), Home(tmp_path / name), print).project for name in ("ours", "theirs"))
    assert len({ours, theirs, "daybook"}) == 3


@pytest.mark.skipif(DOCKER is None or ANSWERS, reason="needs docker without a running daemon")
def test_a_missing_daemon_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"docker compose ps failed: .*is the Docker daemon running") as caught:
        DockerStack(checkout(), Home(tmp_path / "home"), print).start()
    assert "\n" not in str(caught.value)


def test_the_ports_of_parts_that_are_not_started_are_left_to_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_docker(tmp_path, monkeypatch, volumes="")
    stack = DockerStack(checkout(), Home(tmp_path / "home"), print)
    stack.start(frozenset())
    for port in remembered_ports(stack.home.ports, PORT_NAMES).values():
        with socket.create_server((LOOPBACK, port)):
            pass


def test_reset_deletes_stopped_containers_volumes_and_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _fake_docker(tmp_path, monkeypatch, volumes="p_kafka\np_postgres")
    stack = DockerStack(checkout(), Home(tmp_path / "home"), print)
    stack.home.make()
    password = stack.home.folder / "docker-postgres-password"
    password.write_text("x")
    assert stack.data() == ["Docker volume p_kafka", "Docker volume p_postgres", str(password)]
    calls.unlink()
    stack.delete_data()
    volumes = f"volume ls --filter label=com.docker.compose.project={stack.project} --format {{{{.Name}}}}"
    assert calls.read_text().splitlines() == [volumes, "compose rm --force", "volume rm p_kafka p_postgres"]
    assert not password.exists()


def test_a_volume_that_docker_does_not_delete_is_an_error_and_the_password_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_docker(tmp_path, monkeypatch, volumes="p_kafka", refusal="volume is in use")
    stack = DockerStack(checkout(), Home(tmp_path / "home"), print)
    stack.home.make()
    with pytest.raises(StackError, match=r"^docker volume rm failed: volume is in use"):
        stack.delete_data()
    assert (stack.home.folder / "docker-postgres-password").exists()


@pytest.mark.docker
@WITH_DAEMON
async def test_the_containers_of_the_tests_accept_clients() -> None:
    with containers() as found:
        async with admin(Settings(kafka_bootstrap=found.kafka_bootstrap)) as client:
            assert await client.list_topics() == []
        await run_sql(found.database_url, "SELECT 1")


@pytest.mark.docker
@WITH_DAEMON
async def test_the_stack_starts_stops_and_keeps_its_data(docker_stack: DockerStack) -> None:
    assert docker_stack.start() == ALL_PARTS
    assert docker_stack.start() == frozenset()
    async with admin(Settings(kafka_bootstrap=docker_stack.servers().kafka_bootstrap)) as client:
        assert await client.list_topics() == []
    await run_sql(docker_stack.servers().database_url, "CREATE TABLE kept ()")
    assert docker_stack.stop() == ALL_PARTS
    assert docker_stack.servers() == Servers()
    docker_stack.start(frozenset({Part.POSTGRES}))
    await run_sql(docker_stack.servers().database_url, "TABLE kept")
    with pytest.raises(StackError, match="in use"):
        docker_stack.delete_data()
    docker_stack.stop()
    docker_stack.delete_data()
    assert docker_stack.data() == []
    docker_stack.start(frozenset({Part.POSTGRES}))
    with pytest.raises(asyncpg.UndefinedTableError):
        await run_sql(docker_stack.servers().database_url, "TABLE kept")


@pytest.mark.docker
@WITH_DAEMON
def test_the_compose_file_is_valid(tmp_path: Path) -> None:
    assert DOCKER is not None
    needed = dict.fromkeys(SECRETS, "x" * 32)
    config = [DOCKER, "compose", "--file", str(checkout() / "docker-compose.yml"), "config"]
    done = run(Child(config, env={**os.environ, **needed}))
    assert done.code == 0, done.output


def _fake_docker(folder: Path, monkeypatch: pytest.MonkeyPatch, *, volumes: str, refusal: str = "") -> Path:
    """Puts a fake `docker` on PATH. It lists `volumes`; if there is a `refusal`, it prints this instead of deleting
    them. Returns the file to which it writes its calls.
    """
    calls, program = folder / "calls", folder / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
echo "$*" >> {calls}
case "$*" in
    "volume ls "*) echo "{volumes}" ;;
    "volume rm "*) [ -z "{refusal}" ] || {{ echo "{refusal}"; exit 1; }} ;;
esac
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return calls


def _dockerfile(service: str) -> str:
    return (checkout() / "services" / service / "Dockerfile").read_text(encoding="utf-8")
