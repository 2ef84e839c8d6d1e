"""The compose file's Kafka and PostgreSQL, in a project that lives as long as the test session."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from testcontainers.compose import DockerCompose

from daybook_infra.stack.interface import ALL_PARTS, Servers
from daybook_infra.stack.places import checkout
from daybook_infra.stack.ports import LOOPBACK, next_free

FIRST_PORT = 30_000


@contextmanager
def containers() -> Iterator[Servers]:
    """Deletes the containers and their volumes afterwards, unless the test session is killed."""
    kafka = next_free(FIRST_PORT)
    postgres = next_free(kafka + 1)
    password = secrets.token_urlsafe(24)
    env = {
        "COMPOSE_PROJECT_NAME": f"daybook-tests-{os.getpid()}",
        "DAYBOOK_KAFKA_PORT": kafka,
        "DAYBOOK_POSTGRES_PORT": postgres,
        "DAYBOOK_POSTGRES_PASSWORD": password,
        **dict.fromkeys(
            ("DAYBOOK_COMMAND_PASSWORD", "DAYBOOK_PROJECTOR_PASSWORD", "DAYBOOK_JWT_SECRET"),
            "unused by kafka and postgres",
        ),
    }
    with tempfile.NamedTemporaryFile("w", prefix="daybook-tests-", suffix=".env") as file:
        file.writelines(f"{name}={value}\n" for name, value in env.items())
        file.flush()
        with DockerCompose(checkout(), "docker-compose.yml", env_file=file.name, services=sorted(ALL_PARTS)):
            yield Servers(f"{LOOPBACK}:{kafka}", f"postgresql://daybook:{password}@{LOOPBACK}:{postgres}/daybook")
