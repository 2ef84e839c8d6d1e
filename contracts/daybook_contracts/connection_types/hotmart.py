"""The config of a `hotmart` connection: the webhooks of a shop, and its API if a client is named."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from daybook_contracts.commands.fields import STRICT, Name, Text
from daybook_contracts.connection_types.fields import Closed, Distinct, Time

Event = Literal[
    "PURCHASE_APPROVED",
    "PURCHASE_COMPLETE",
    "PURCHASE_CANCELED",
    "PURCHASE_BILLET_PRINTED",
    "PURCHASE_PROTEST",
    "PURCHASE_REFUNDED",
    "PURCHASE_CHARGEBACK",
    "PURCHASE_EXPIRED",
    "PURCHASE_DELAYED",
    "PURCHASE_OUT_OF_SHOPPING_CART",
    "SUBSCRIPTION_CANCELLATION",
    "SWITCH_PLAN",
    "UPDATE_SUBSCRIPTION_CHARGE_DATE",
    "CLUB_FIRST_ACCESS",
    "CLUB_MODULE_COMPLETED",
    "ORDER_FULFILLMENT",
]

_CLIENT_NEEDS_SECRET: dict[str, Any] = {
    "if": {"required": ["client_id"], "properties": {"client_id": {"type": "string"}}},
    "then": {
        "properties": {"secrets": {"required": ["client_secret"], "properties": {"client_secret": {"type": "string"}}}}
    },
}


class HotmartSecrets(Closed):
    hottok: Name = Field(description="The key_name of the token in Hotmart's webhooks.")
    client_secret: Name | None = Field(default=None, description="The key_name of the API client's secret.")


class Hotmart(Closed):
    """The config of a Hotmart connection."""

    model_config = ConfigDict(**STRICT, json_schema_extra=_CLIENT_NEEDS_SECRET)

    environment: Literal["production", "sandbox"]
    webhook_version: Literal["2.0.0"]
    events: Distinct[Event] = Field(description="The events that the webhook is subscribed to.")
    product_ids: Distinct[int] | None = Field(default=None, description="Only these products; all if absent.")
    client_id: Text | None = Field(default=None, description="The API client; its secret: `secrets.client_secret`.")
    backfill_start: Time | None = Field(default=None, description="Start of the history to read; stored as written.")
    secrets: HotmartSecrets

    @model_validator(mode="after")
    def _a_client_has_its_secret(self) -> Self:
        if self.client_id is not None and self.secrets.client_secret is None:
            raise ValueError("must name secrets.client_secret where it gives client_id")
        return self
