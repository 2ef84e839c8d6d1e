"""The key that a command line signs its records with: settings and a file's path in, the key or none out."""

from pathlib import Path

from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.key_rules import signing_key
from daybook_infra.runtime.settings import Settings


def service_key(settings: Settings, file: Path | None) -> bytes | None:
    """What stands in `file`, else DAYBOOK_SERVICE_KEY, else none: then nothing is signed. Raises `SettingsError`."""
    if file is None:
        return None if settings.service_key is None else settings.service_key.get_secret_value().encode()
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} holds no key: it is not UTF-8") from None
    try:
        return signing_key(text).encode()
    except ValueError as error:
        raise SettingsError(f"{file} holds no key: it {error}") from None
