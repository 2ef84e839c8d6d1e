"""Commands about secret references: names for secrets that live elsewhere."""

from typing import Literal

from pydantic import Field

from daybook_contracts.commands.fields import ChosenId, ChosenIdField, Data, Envelope, Name, SecretIdRef, Uuid

_REF = "Where the secret is stored; never the secret itself."


class CreateSecretRefData(Data):
    secret_ref_id: ChosenId | None = ChosenIdField
    key_name: Name = Field(description="Unique in the org; configs refer to it.")
    secret_id_ref: SecretIdRef = Field(description=_REF)


class CreateSecretRef(Envelope):
    """Names a secret of the org."""

    type: Literal["CREATE_SECRET_REF"]
    data: CreateSecretRefData


class RotateSecretRefData(Data):
    secret_ref_id: Uuid
    secret_id_ref: SecretIdRef = Field(description=_REF)


class RotateSecretRef(Envelope):
    """Changes where a reference's secret is stored."""

    type: Literal["ROTATE_SECRET_REF"]
    data: RotateSecretRefData


class DeleteSecretRefData(Data):
    secret_ref_id: Uuid


class DeleteSecretRef(Envelope):
    """Deletes a reference that no connection uses."""

    type: Literal["DELETE_SECRET_REF"]
    data: DeleteSecretRefData
