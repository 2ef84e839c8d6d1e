"""Reads settings from environment variables, as a service does when it starts."""

import pytest

from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.settings import Settings, load_settings


def load_with(**variables: str) -> Settings:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        return load_settings()


def refusal_of(**variables: str) -> str:
    """The error message about these settings, which must be refused."""
    with pytest.raises(SettingsError) as refused:
        load_with(**variables)
    return str(refused.value)
