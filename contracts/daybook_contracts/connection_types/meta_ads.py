"""The config of a `meta_ads` connection: which ad accounts are read, at which level, and since which day."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from daybook_contracts.commands.fields import Name, Text
from daybook_contracts.connection_types.fields import Closed, Day, Digits, Distinct, Time

_MAX_LOOKBACK_DAYS = 3650  # ten years; Meta keeps data for about three


def _without_act(value: object) -> object:
    return value.removeprefix("act_") if isinstance(value, str) else value


AdAccountId = Annotated[
    Digits,
    BeforeValidator(_without_act),
    WithJsonSchema({"type": "string", "pattern": "^(act_)?[0-9]+$"}),
]


class MetaAdsSecrets(Closed):
    access_token: Name = Field(description="The key_name of the API's access token.")
    app_secret: Name | None = Field(default=None, description="The key_name of the app's secret.")


class MetaAds(Closed):
    """The config of a Meta Ads connection."""

    api_version: Annotated[str, StringConstraints(pattern=r"^v[0-9]+\.[0-9]+$")]
    ad_account_ids: Distinct[AdAccountId] = Field(description="Digits; a leading `act_` is removed. Must be unique.")
    token_type: Literal["system_user", "long_lived_user"]
    level: Literal["account", "campaign", "adset", "ad"]
    start_date: Day = Field(description="The first day to read.")
    app_id: Digits | None = None
    fields: Distinct[Text] | None = Field(
        default=None, description="Fields of the insights; the reader chooses if absent."
    )
    breakdowns: Distinct[Text] | None = None
    lookback_days: Annotated[int, Field(ge=1, le=_MAX_LOOKBACK_DAYS)] | None = Field(
        default=None, description="How many past days to read again, because their figures still change."
    )
    token_expires_at: Time | None = Field(default=None, description="Stored as written.")
    secrets: MetaAdsSecrets
