"""Secrets in files: for every setting that is a secret, `DAYBOOK_<NAME>_FILE` may name a file that holds it.
No error message quotes the content of a file.
"""

import os
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from daybook_infra.runtime.errors import SettingsError

SUFFIX = "_FILE"


class SecretFiles(PydanticBaseSettingsSource):
    """A source of settings. Raises `SettingsError` with one line per fault."""

    def __call__(self) -> dict[str, Any]:
        found, faults = {}, []
        for field_name, field in self.settings_cls.model_fields.items():
            try:
                value, _, _ = self.get_field_value(field, field_name)
            except SettingsError as error:
                faults.append(str(error))
            else:
                if value is not None:
                    found[field_name] = value
        if faults:
            raise SettingsError("\n".join(faults))
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        """The triple that pydantic-settings expects. Its first member is the secret, or None if no file is named."""
        plain = f"{self.config.get('env_prefix', '')}{field_name}".upper()
        path = os.environ.get(plain + SUFFIX) if is_secret(field) else None
        if not path:
            return None, field_name, False
        if os.environ.get(plain):
            raise SettingsError(f"{plain} and {plain}{SUFFIX} are both set: unset one of them")
        return _read_secret(Path(path), plain + SUFFIX), field_name, False


def is_secret(field: FieldInfo) -> bool:
    return SecretStr in {field.annotation, *get_args(field.annotation)}


def _read_secret(path: Path, setting: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: {path} is not UTF-8 text") from None
    if not text:
        raise SettingsError(f"{setting}: {path} is empty")
    return text
