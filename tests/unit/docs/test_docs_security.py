"""What the pages on security name: settings and metrics that there are, and what the descriptors add up to."""

import re

import pytest

from daybook_infra.runtime.http.limits import CONNECTIONS
from daybook_infra.runtime.settings import Settings, env_name
from support import tables_of_code as of_code
from support.documents import page
from support.limits_of_code import ADMIN_DESCRIPTORS, DESCRIPTORS

PAGES = ("SECURITY.md", "docs/security.md")


@pytest.mark.parametrize("path", PAGES)
def test_every_setting_that_a_page_on_security_names_exists(path: str) -> None:
    named = set(re.findall(r"DAYBOOK_[A-Z_]+", page(path)))
    assert named <= {env_name(field) for field in Settings.model_fields}


@pytest.mark.parametrize("path", PAGES)
def test_every_metric_that_a_page_on_security_names_exists(path: str) -> None:
    listed = of_code.metrics_of_command() + of_code.metrics_of_http() + of_code.metrics_of_projector()
    named = re.findall(r"`(daybook_[a-z_]+)`", page(path))
    assert [metric for metric in named if f"`{metric}`" not in listed] == []


def test_the_descriptors_to_allow_are_those_that_a_service_asks_for() -> None:
    advice = (
        f"Allow {CONNECTIONS + DESCRIPTORS:,} (`LimitNOFILE`, `ulimit -n`), or {CONNECTIONS + ADMIN_DESCRIPTORS:,} "
    )
    assert advice in page("docs/security.md")
