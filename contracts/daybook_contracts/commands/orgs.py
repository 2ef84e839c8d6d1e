"""Commands about orgs."""

from typing import Literal

from daybook_contracts.commands.fields import Data, Envelope, Name


class CreateOrgData(Data):
    name: Name


class CreateOrg(Envelope):
    """Creates the org `org_id`, with the actor as its first owner."""

    type: Literal["CREATE_ORG"]
    data: CreateOrgData


class RenameOrgData(Data):
    name: Name


class RenameOrg(Envelope):
    """Renames the org."""

    type: Literal["RENAME_ORG"]
    data: RenameOrgData
