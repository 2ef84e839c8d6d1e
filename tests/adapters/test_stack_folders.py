"""Kafka with its data below a folder with an unusual name: Kafka starts, or the folder is refused before anything is
written.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.kafka import Cluster, Kafka
from daybook_infra.stack.places import Home
from support.processes import free_port


@pytest.fixture
def kafka(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """A node that runs as this user. Its data is below a folder with the name from the test's parameter."""
    data = tmp_path / request.param / "data"
    data.mkdir(parents=True)
    port, controller = free_port(), free_port()
    home, log = Home.of_checkout(), tmp_path / "kafka.log"
    kafka = Kafka(data, home, log, None, port, port, Cluster((controller,), heap_mib=256), lambda _: None)
    yield kafka
    kafka.stop()


@pytest.mark.parametrize("kafka", ["josé", "日本 語 😀", "back\\slash = # %20"], indirect=True)
def test_kafka_keeps_its_data_in_a_folder_with_an_unusual_name(kafka: Kafka, tmp_path: Path) -> None:
    kafka.prepare()
    kafka.launch()
    kafka.await_ready()
    assert kafka.process() is not None
    assert list(tmp_path.rglob("meta.properties")) == [kafka.data / "kafka" / "meta.properties"]


@pytest.mark.parametrize("kafka", ["a,b", "a\nb", "a\udcffb"], indirect=True)
def test_a_folder_that_kafka_cannot_use_is_refused_before_anything_is_written(kafka: Kafka, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"^Kafka cannot keep its data in '.*', because .*: rename that folder$"):
        kafka.prepare()
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
