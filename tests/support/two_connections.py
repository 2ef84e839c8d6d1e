"""An org with two connections, as facts: a hotmart shop and a sheet, whose type has no model."""

from typing import Any

from daybook_contracts.entries.facts import MemberAdded, OrgCreated, ProjectCreated, SecretRefCreated
from support.given import CAT, connection, project, secret_ref
from support.hub_scene import connected

WEB = project(1)
SHOP, SHEETS = connection(1), connection(2)
HOTMART = {
    "environment": "production",
    "webhook_version": "2.0.0",
    "events": ["PURCHASE_APPROVED"],
    "secrets": {"hottok": "shop-hottok"},
}
META_ADS = {
    "api_version": "v21.0",
    "ad_account_ids": ["act_1", "2"],
    "token_type": "system_user",
    "level": "ad",
    "start_date": "2026-01-01",
    "secrets": {"access_token": "ads-token"},
}
PLAIN: dict[str, Any] = {"sheet": "prices", "rows": 12.0}
REFS = (
    SecretRefCreated(secret_ref_id=secret_ref(1), key_name="shop-hottok", secret_id_ref="env:HOTTOK"),
    SecretRefCreated(secret_ref_id=secret_ref(2), key_name="ads-token", secret_id_ref="env:ADS"),
)
FOUNDED = (
    OrgCreated(name="Acme"),
    MemberAdded(user_id=CAT, role="member"),
    ProjectCreated(project_id=WEB, name="Web"),
    *REFS,
)
CONNECTED = (
    *FOUNDED,
    connected(SHOP, WEB, HOTMART, type_="hotmart", name="Shop"),
    connected(SHEETS, WEB, PLAIN, name="Prices"),
)
