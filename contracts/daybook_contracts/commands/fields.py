"""The types of commands' fields, and the base classes of commands. Each type checks what a publisher wrote and
normalises it to the form that Daybook stores.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from daybook_contracts.json.canonical import canonical_bytes
from daybook_contracts.limits import NAME_LENGTH, PAYLOAD_BYTES, TEXT_LENGTH
from daybook_contracts.secrets.redaction import contains_secret, redacted
from daybook_contracts.secrets.references import JSON_SCHEMA_PATTERN, UUID_ANY_CASE, secret_id_ref
from daybook_contracts.secrets.scan import without_hottok, without_secrets
from daybook_contracts.text import name_text, uuid_text, uuid_version


def _check_chosen_id(text: str) -> str:
    chosen = uuid_text(text)
    if uuid_version(chosen) == 8:
        raise ValueError("must not be a UUIDv8: those are computed")
    return chosen


def _check_chosen_alert_id(text: str) -> str:
    chosen = _check_chosen_id(text)
    if uuid_version(chosen) == 5:
        raise ValueError("must not be a UUIDv5: those are the ids of policies' alerts")
    return chosen


def _refuse_secret(name: str) -> str:
    if contains_secret(name):
        raise ValueError("must not hold a secret")
    return name


def _redacted(value: Any) -> Any:
    return redacted(value) if isinstance(value, str) else value


def _refuse_large(value: Any) -> Any:
    if len(canonical_bytes(value)) > PAYLOAD_BYTES:
        raise ValueError(f"must be at most {PAYLOAD_BYTES // 1024} KiB as canonical JSON (RFC 8785)")
    return value


_UUID_SCHEMA = WithJsonSchema({"type": "string", "format": "uuid", "pattern": f"^{UUID_ANY_CASE}$"})
_NAME_SCHEMA = WithJsonSchema({"type": "string", "minLength": 1, "maxLength": NAME_LENGTH})
_REF_SCHEMA = WithJsonSchema({"type": "string", "pattern": JSON_SCHEMA_PATTERN})
_ANY_SCHEMA = WithJsonSchema({})

Uuid = Annotated[str, AfterValidator(uuid_text), _UUID_SCHEMA]
ChosenId = Annotated[str, AfterValidator(_check_chosen_id), _UUID_SCHEMA]
ChosenAlertId = Annotated[str, AfterValidator(_check_chosen_alert_id), _UUID_SCHEMA]
Name = Annotated[str, AfterValidator(name_text), AfterValidator(_refuse_secret), _NAME_SCHEMA]
Text = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_LENGTH)]
FreeText = Annotated[Text, BeforeValidator(_redacted)]
"""Text that people and workers write. Secrets are redacted before its length is checked."""
SecretIdRef = Annotated[str, AfterValidator(secret_id_ref), _REF_SCHEMA]
ConnectionType = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{1,62}$")]
Config = dict[str, Any]
Stats = Annotated[dict[str, Any], AfterValidator(without_secrets), AfterValidator(_refuse_large)]
Payload = Annotated[Any, AfterValidator(without_hottok), AfterValidator(_refuse_large), _ANY_SCHEMA]

ChosenIdField = Field(
    default=None,
    description="Chosen by services only; by default computed from org and command.",
)
ReasonField = Field(default=None, description="Free text. Secrets in it become `[redacted]`.")

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)


class Data(BaseModel):
    """A command's own fields. An optional field that is None counts as absent."""

    model_config = STRICT

    def to_json(self) -> dict[str, Any]:
        """The normalised data, without optional fields that are None."""
        return {name: value for name, value in self.__dict__.items() if value is not None}


class Envelope(BaseModel):
    """The fields of all commands except REGISTER_USER, which has no org."""

    model_config = STRICT

    id: Uuid = Field(description="The command's id, preferably a UUIDv7. Sending it again never acts twice.")
    org_id: Uuid = Field(description="The org that the command acts on; also the Kafka key.")
    actor_user_id: Uuid | None = Field(default=None, description="The user who acts; null if a service acts.")

    @property
    def key(self) -> str:
        """The routing key: it decides the partition and scopes the command's id."""
        return self.org_id
