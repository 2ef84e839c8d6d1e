"""Random connection configs, of which about one in ten is invalid, and random references to secrets."""

from support.chain import Json
from support.draws import KEY_NAMES, Draws

TYPES = ("hotmart", "meta_ads", "stripe_like")
HOTMART_EVENTS = ("PURCHASE_APPROVED", "PURCHASE_OUT_OF_SHOPPING_CART", "SWITCH_PLAN", "CLUB_FIRST_ACCESS")
WRONG: tuple[tuple[str, Json], ...] = (
    ("hotmart", {"environment": "staging"}),
    ("hotmart", {"webhook_version": "1.0.0"}),
    ("hotmart", {"events": []}),
    ("hotmart", {"events": ["SWITCH_PLAN", "SWITCH_PLAN"]}),
    ("hotmart", {"events": ["_APPROVED"]}),
    ("hotmart", {"product_ids": ["7"]}),
    ("hotmart", {"product_ids": [7, 7]}),
    ("hotmart", {"client_id": "c", "secrets": {"hottok": "client"}}),
    ("hotmart", {"backfill_start": "yesterday"}),
    ("hotmart", {"secrets": None}),
    ("hotmart", {"secrets": {"client_secret": "client"}}),
    ("hotmart", {"secrets": {"hottok": "client", "webhook": "client"}}),
    ("hotmart", {"colour": "blue"}),
    ("meta_ads", {"api_version": "21.0"}),
    ("meta_ads", {"ad_account_ids": ["act_1", "1"]}),
    ("meta_ads", {"ad_account_ids": ["act_"]}),
    ("meta_ads", {"token_type": "short_lived_user"}),
    ("meta_ads", {"level": "pixel"}),
    ("meta_ads", {"start_date": "2026-02-30"}),
    ("meta_ads", {"fields": []}),
    ("meta_ads", {"breakdowns": ["age", "age"]}),
    ("meta_ads", {"lookback_days": "7"}),
    ("meta_ads", {"token_expires_at": "2026-11-22"}),
    ("meta_ads", {"secrets": {}}),
    ("meta_ads", {"secrets": {"access_token": 1}}),
    ("stripe_like", {"secrets": ["meta"]}),
    ("stripe_like", {"secrets": {"purpose": {"name": "meta"}}}),
    ("stripe_like", {"secrets": {"purpose": " "}}),
)


def config(draws: Draws, org: Json, type_: str) -> Json:
    made = right_config(draws, org, type_)
    wrong = [change for kind, change in WRONG if kind == type_]
    return {**made, **draws.one_of(wrong)} if wrong and draws.chance(0.1) else made


def right_config(draws: Draws, org: Json, type_: str) -> Json:
    return _RIGHT.get(type_, _general)(draws, org)


def _key_name(draws: Draws, org: Json) -> str:
    """Usually the key_name of an existing secret reference; sometimes with spaces around it."""
    present = [ref["key_name"] for ref in org["secret_refs"].values()]
    name: str = draws.one_of(present if present and draws.chance(0.93) else KEY_NAMES)
    return f" {name} " if draws.chance(0.05) else name


def _hotmart(draws: Draws, org: Json) -> Json:
    secrets = {"hottok": _key_name(draws, org)}
    made: Json = {"environment": draws.one_of(("production", "sandbox")), "webhook_version": "2.0.0"}
    made["events"] = draws.random.sample(HOTMART_EVENTS, draws.random.randint(1, 3))
    if draws.chance(0.4):
        made["client_id"], secrets["client_secret"] = "client 7", _key_name(draws, org)
    made |= draws.sometimes(0.3, product_ids=[draws.random.randint(1, 99), 100])
    made |= draws.sometimes(0.3, backfill_start=draws.one_of(("2026-01-01T00:00:00Z", "2025-06-30T23:59:59.5-03:00")))
    return {**made, **draws.sometimes(0.1, client_id=None), "secrets": secrets}


def _meta_ads(draws: Draws, org: Json) -> Json:
    made: Json = {"api_version": "v21.0", "token_type": draws.one_of(("system_user", "long_lived_user"))}
    made["ad_account_ids"] = [f"{draws.one_of(('', 'act_'))}{draws.random.randint(1, 999)}", "act_1000"]
    made |= {"level": draws.one_of(("account", "campaign", "adset", "ad")), "start_date": "2026-02-28"}
    made |= draws.sometimes(0.3, fields=["spend", "clicks"]) | draws.sometimes(0.3, breakdowns=["age"])
    made |= draws.sometimes(0.3, app_id="77", lookback_days=28, token_expires_at="2027-01-01T00:00:00Z")
    made |= draws.sometimes(0.1, lookback_days=None)
    app = draws.sometimes(0.3, app_secret=_key_name(draws, org))
    return {**made, "secrets": {"access_token": _key_name(draws, org), **app}}


def _general(draws: Draws, org: Json) -> Json:
    made = {"url": "https://example.org/hook", "options": draws.value()}
    return {**made, **draws.sometimes(0.5, secrets={"signing": _key_name(draws, org)})}


def secret_id_ref(draws: Draws) -> str:
    number = draws.random.randint(1, 9)
    return draws.one_of(
        (
            f"pgvault:{draws.id()}",
            f"aws-sm:arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/hub-{number}AbCdE",
            f"vault:kv/hub/{number}#value",
            f"vault:kv/hub/{number}#value@{number}",
            f"gcp-sm:projects/hub/secrets/key-{number}/versions/latest",
            f"vault:kv/hub/secret-{number}#value",
        )
    )


_RIGHT = {"hotmart": _hotmart, "meta_ads": _meta_ads}
