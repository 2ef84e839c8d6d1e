"""Commands about users."""

from typing import Literal

from pydantic import BaseModel, Field

from daybook_contracts.commands.fields import STRICT, Data, Uuid


class RegisterUserData(Data):
    user_id: Uuid = Field(description="The user's id, as the identity provider has it; also the Kafka key.")


class RegisterUser(BaseModel):
    """Registers a user. Only if Daybook manages users itself."""

    model_config = STRICT

    id: Uuid = Field(description="The command's id, preferably a UUIDv7. Sending it again never acts twice.")
    type: Literal["REGISTER_USER"]
    org_id: None = Field(default=None, description="Users belong to no org.")
    actor_user_id: Uuid | None = Field(default=None, description="The user itself; null if a service acts.")
    data: RegisterUserData

    @property
    def key(self) -> str:
        """The routing key: the user's id."""
        return self.data.user_id
