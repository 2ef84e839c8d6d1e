"""Commands about source connections."""

from typing import Literal, Self

from pydantic import Field, model_validator

from daybook_contracts.commands.fields import (
    ChosenId,
    ChosenIdField,
    Config,
    ConnectionType,
    Data,
    Envelope,
    FreeText,
    Name,
    ReasonField,
    Uuid,
)

_CONFIG = "Depends on the connection's type. `secrets` maps a purpose to the key_name of a secret reference."


class CreateConnectionData(Data):
    project_id: Uuid
    connection_id: ChosenId | None = ChosenIdField
    type: ConnectionType = Field(description="`hotmart`, `meta_ads` or another source's name.")
    name: Name
    config: Config = Field(description=_CONFIG)


class CreateConnection(Envelope):
    """Connects a project to a source. The connection is active at once."""

    type: Literal["CREATE_CONNECTION"]
    data: CreateConnectionData


class UpdateConnectionData(Data):
    connection_id: Uuid
    name: Name | None = None
    config: Config | None = Field(default=None, description=f"{_CONFIG} It is replaced whole.")

    @model_validator(mode="after")
    def _something_to_update(self) -> Self:
        if self.name is None and self.config is None:
            raise ValueError("must give name, config or both")
        return self


class UpdateConnection(Envelope):
    """Changes a connection's name, config or both."""

    type: Literal["UPDATE_CONNECTION"]
    data: UpdateConnectionData


class ActivateConnectionData(Data):
    connection_id: Uuid
    reason: FreeText | None = ReasonField


class ActivateConnection(Envelope):
    """Activates a connection: it may start syncs again."""

    type: Literal["ACTIVATE_CONNECTION"]
    data: ActivateConnectionData


class DeactivateConnectionData(Data):
    connection_id: Uuid
    reason: FreeText | None = ReasonField


class DeactivateConnection(Envelope):
    """Deactivates a connection: it starts no syncs. A running sync continues."""

    type: Literal["DEACTIVATE_CONNECTION"]
    data: DeactivateConnectionData


class DeleteConnectionData(Data):
    connection_id: Uuid


class DeleteConnection(Envelope):
    """Deletes a connection without a running sync, and its runs and dead letters."""

    type: Literal["DELETE_CONNECTION"]
    data: DeleteConnectionData
