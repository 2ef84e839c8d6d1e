"""The pages on security against the code: settings, metrics and the number of descriptors."""

import re

import pytest

from daybook_infra.runtime.http.limits import CONNECTIONS
from daybook_infra.runtime.settings import Settings, env_name
from support import tables_of_code as of_code
from support.documents import page
from support.limits_of_code import ADMIN_DESCRIPTORS, DESCRIPTORS

PAGES = ("SECURITY.md", "docs/security.md")
ROLES = {f"daybook_{name}" for name in ("command", "projector", "reader", "auditor", "gateway")}
"""Roles in PostgreSQL, with names that look like names of metrics."""


@pytest.mark.parametrize("path", PAGES)
def test_every_setting_named_on_a_page_exists(path: str) -> None:
    named = set(re.findall(r"DAYBOOK_[A-Z_]+", page(path)))
    assert named <= {env_name(field) for field in Settings.model_fields}


@pytest.mark.parametrize("path", PAGES)
def test_every_metric_named_on_a_page_exists(path: str) -> None:
    listed = of_code.metrics_of_command() + of_code.metrics_of_http() + of_code.metrics_of_projector()
    named = re.findall(r"`(daybook_[a-z_]+)`", page(path))
    assert [metric for metric in named if f"`{metric}`" not in listed and metric not in ROLES] == []


def test_the_recommended_number_of_descriptors_is_correct() -> None:
    without_port, with_port = CONNECTIONS + DESCRIPTORS, CONNECTIONS + ADMIN_DESCRIPTORS
    advice = f"Allow {without_port:,} (`LimitNOFILE`, `ulimit -n`), or {with_port:,} "
    assert advice in page("docs/security.md")
