"""The commands that create a thing whose id a service may choose: their data without the id, valid in hub_scene."""

from support.chain import Json
from support.hub_scene import SHOP, WEB
from support.world import CREATED

CREATIONS: dict[str, Json] = {
    "CREATE_PROJECT": {"name": "New"},
    "CREATE_CONNECTION": {"project_id": WEB, "type": "sheets", "name": "New", "config": {}},
    "START_SYNC": {"connection_id": SHOP},
    "RECORD_DLQ_EVENT": {"connection_id": SHOP, "payload": 1},
    "RAISE_ALERT": {"project_id": WEB, "severity": "info", "message": "look here"},
    "CREATE_SECRET_REF": {"key_name": "key", "secret_id_ref": "env:KEY"},
}


def creation(type_: str, chosen: str | None) -> Json:
    """The data of such a command, with the id that the service has chosen, or with null."""
    _, field = CREATED[type_]
    return {**CREATIONS[type_], field: chosen}
