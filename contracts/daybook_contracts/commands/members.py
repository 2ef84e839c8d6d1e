"""Commands about an org's members."""

from typing import Literal

from daybook_contracts.commands.fields import Data, Envelope, Uuid
from daybook_contracts.entries.fields import Role


class AddMemberData(Data):
    user_id: Uuid
    role: Role


class AddMember(Envelope):
    """Adds a registered user to the org."""

    type: Literal["ADD_MEMBER"]
    data: AddMemberData


class UpdateMemberData(Data):
    user_id: Uuid
    role: Role


class UpdateMember(Envelope):
    """Changes a member's role. A member who becomes a viewer becomes one in the projects too."""

    type: Literal["UPDATE_MEMBER"]
    data: UpdateMemberData


class RemoveMemberData(Data):
    user_id: Uuid


class RemoveMember(Envelope):
    """Removes a member from the org and its projects. Everybody may leave, except the last owner."""

    type: Literal["REMOVE_MEMBER"]
    data: RemoveMemberData
