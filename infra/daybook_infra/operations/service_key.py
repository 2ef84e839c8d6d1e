"""Finds the key with which `daybook send` and `daybook dlq` sign their records."""

from pathlib import Path

from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.key_rules import check_signing_key
from daybook_infra.runtime.settings import Settings


def service_key(settings: Settings, file: Path | None) -> bytes | None:
    """The content of `file`, or else DAYBOOK_SERVICE_KEY, or else None: then records are not signed. Raises
    `SettingsError`.
    """
    if file is None:
        return None if settings.service_key is None else settings.service_key.get_secret_value().encode()
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} holds no key: it is not UTF-8") from None
    try:
        return check_signing_key(text).encode()
    except ValueError as error:
        raise SettingsError(f"{file} holds no key: it {error}") from None
