"""Commands about an org's members."""

from typing import Literal

from daybook_contracts.commands.fields import Data, Envelope, Uuid
from daybook_contracts.entries.fields import Role


class AddMemberData(Data):
    user_id: Uuid
    role: Role


class AddMember(Envelope):
    """Makes a known user a member of the org."""

    type: Literal["ADD_MEMBER"]
    data: AddMemberData


class UpdateMemberData(Data):
    user_id: Uuid
    role: Role


class UpdateMember(Envelope):
    """Gives a member another role. One who becomes viewer is lowered to viewer in the projects too."""

    type: Literal["UPDATE_MEMBER"]
    data: UpdateMemberData


class RemoveMemberData(Data):
    user_id: Uuid


class RemoveMember(Envelope):
    """Takes a member out of the org and its projects. Anybody may leave, except the last owner."""

    type: Literal["REMOVE_MEMBER"]
    data: RemoveMemberData
