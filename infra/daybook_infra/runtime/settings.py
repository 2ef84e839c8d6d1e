"""Every setting of Daybook, with its default, bounds and description: `DAYBOOK_*` variables in, one frozen object out.
In services, only this module and secret_files.py read `DAYBOOK_*` variables, except for crash tests (failpoints.py).
Over 250 lines, because all settings are in one list.
"""

import re
import ssl
from typing import Annotated, Literal, Self

from annotated_types import Ge, Gt, Le
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from daybook_contracts.secrets.references import checked_prefix
from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.key_rules import check_keys_url, check_signing_key, lead_to_same_keys
from daybook_infra.runtime.remote_servers import (
    find_address_fault,
    find_bootstrap_fault,
    find_remote_broker,
    find_unverified_host,
)
from daybook_infra.runtime.secret_files import SecretFiles

ENV_PREFIX = "DAYBOOK_"
KAFKA_TOPIC_NAME = r"^[A-Za-z0-9._-]{0,200}$"
# Scheme, host and port in lower case, as browsers write them (RFC 6454); no path, no trailing slash.
ORIGIN = r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
# RFC 7518, section 3.2: an HS256 key must be at least as long as the hash, SHA-256.
HS256_KEY_BYTES = 32
# With fewer HTTP connections, a service could not do its work.
FEWEST_CONNECTIONS = 16
NO_SERVER = 'name a server, or start a local one (`daybook stack up`) and load it with `eval "$(daybook stack env)"`'
OWN_KEYS = "users and services need different keys; unset it if both use the same key"

Port = Annotated[int, Ge(1), Le(65_535)]
Seconds = Annotated[float, Gt(0), Le(86_400)]
# The upper limit is 31 years. There must be one: PostgreSQL cannot subtract 300,000 years, say, from its clock.
RunSeconds = Annotated[int, Ge(1), Le(10**9)]
# Upper limits keep sums and byte counts finite. With the lowest rate, a token takes about a quarter of an hour.
Rate = Annotated[float, Ge(0.001), Le(10**9)]
Burst = Annotated[int, Ge(1), Le(10**9)]
Mib = Annotated[float, Gt(0), Le(2**20)]


class Settings(BaseSettings):
    """Load it once, in a `main`, with `load_settings`, which turns pydantic's `ValidationError` into a readable
    `SettingsError`.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, env_ignore_empty=True, extra="ignore")

    kafka_bootstrap: str = Field("", description="Kafka servers, `host:port,…`; if unset, the local stack's")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Kafka's security protocol: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`"
    )
    kafka_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`"
    )
    kafka_user: str = Field("", description="SASL user name")
    kafka_password: SecretStr = Field(SecretStr(""), description="SASL password")
    kafka_ca_file: str = Field("", description="PEM file of trusted certificate authorities; if unset, the system's")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="`postgresql://user:password@host:port/name` of the primary; on another machine it needs "
        "`?sslmode=verify-full`; if unset, the local stack's",
    )
    admin_database_url: SecretStr = Field(
        SecretStr(""),
        description="the URL with the login that `daybook init` uses; if unset, `DAYBOOK_DATABASE_URL`",
    )
    command_password: SecretStr | None = Field(
        None,
        description="password of the login that `daybook init` makes for the command service; if unset, none",
    )
    projector_password: SecretStr | None = Field(
        None, description="password of the login that `daybook init` makes for the projector; if unset, none"
    )
    insecure: Literal["refuse", "allow"] = Field(
        "refuse", description="`allow`: send passwords to other machines without verified TLS"
    )
    stack: Literal["embedded", "docker"] = Field("embedded", description="local stack: `embedded` or `docker`")

    partitions: Annotated[int, Ge(1), Le(10_000)] = Field(
        12, description="partitions of each topic; fixed when the topics are created, and checked at start"
    )
    replication_factor: Annotated[int, Ge(1), Le(100)] = Field(
        1, description="copies of each partition; in production 3"
    )
    min_insync_replicas: Annotated[int, Ge(1), Le(100)] = Field(
        1, description="copies that must have a record before Kafka acknowledges it; in production 2"
    )
    topic_prefix: str = Field("daybook.", pattern=KAFKA_TOPIC_NAME, description="prefix of topic and group names")

    jwt_secret: SecretStr | None = Field(None, description="key of HS256 tokens, at least 32 bytes")
    jwks_url: str | None = Field(None, description="JWKS URL for RS256, ES256 and EdDSA tokens; https, or loopback")
    service_jwt_secret: SecretStr | None = Field(
        None, description="key of services' HS256 tokens; if set, users' keys do not verify services' tokens"
    )
    service_jwks_url: str | None = Field(
        None, description="JWKS URL for services' tokens; if set, users' keys do not verify services' tokens"
    )
    jwt_audience: str = Field("daybook", min_length=1, description="audience that a token's `aud` must include")
    jwt_issuer: str = Field("", description="issuer that a token's `iss` must equal; if unset, not checked")
    anonymous_users: Literal["refuse", "allow"] = Field(
        "refuse", description="`allow`: accept tokens with `is_anonymous: true`"
    )
    services: str = Field(
        "", description="TOML file of the service policy; if unset, all services have all rights of a service"
    )
    door_key: SecretStr | None = Field(
        None, description="key that the HTTP door signs its records with, at least 32 characters; same on all instances"
    )
    door_key_second: SecretStr | None = Field(
        None, description="second key accepted for the door's signatures while you change the key"
    )
    service_key: SecretStr | None = Field(
        None, description="key that `daybook send` and `daybook dlq` sign their records with"
    )
    users: Literal["managed", "external"] = Field(
        "managed", description="who fills `auth.users`: Daybook (`managed`) or an identity provider (`external`)"
    )

    secret_ref_prefix: str = Field(
        "",
        description="required prefix of an org's secret references, such as `vault:kv/{org_id}/`",
    )

    wait_seconds: Seconds = Field(
        5.0, description="seconds to wait: for a decision (then 202), or for a position (then 504)"
    )
    rate: Rate = Field(50.0, description="HTTP rate limit: tokens per user and second")
    burst: Burst = Field(200, description="HTTP rate limit: how many tokens a user can save up")
    cache_mib: Mib = Field(256.0, description="MiB of fully projected orgs in memory, per process")
    max_tail_mib: Mib = Field(
        256.0,
        description="MiB of entries and orgs that wait for the projector, per process; beyond it, partitions pause",
    )
    sync_max_seconds: RunSeconds = Field(86_400, description="seconds until a running sync fails as `TIMED_OUT`")

    host: str = Field("127.0.0.1", description="address that the services listen on")
    admin_port: Port | None = Field(
        None, description="separate port for `/metrics` and the reasons in `/readyz`; if unset, the service's port"
    )
    admin_host: str = Field("127.0.0.1", description="address that the admin port listens on")
    max_connections: Annotated[int, Ge(FEWEST_CONNECTIONS)] | None = Field(
        None,
        description="limit of HTTP connections per instance, at least 16; if unset, 4000 or what the descriptor limit "
        "allows",
    )
    cors_origins: str = Field(
        "", description="web origins that may call the HTTP APIs: `https://app.example.org,…`, or `*`"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level that is logged")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, file_secret_settings, SecretFiles(settings_cls)

    @field_validator("jwt_secret", "service_jwt_secret")
    @classmethod
    def _check_length(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < HS256_KEY_BYTES:
            raise ValueError(f"must have at least {HS256_KEY_BYTES} bytes")
        return secret

    @field_validator("kafka_bootstrap")
    @classmethod
    def _check_bootstrap(cls, bootstrap: str) -> str:
        fault = find_bootstrap_fault(bootstrap) if bootstrap else None
        if fault is not None:
            raise ValueError(fault)
        return bootstrap

    @field_validator("jwks_url", "service_jwks_url")
    @classmethod
    def _check_keys_url(cls, url: str | None) -> str | None:
        return None if url is None else check_keys_url(url)

    @field_validator("door_key", "door_key_second", "service_key")
    @classmethod
    def _check_signing_key(cls, key: SecretStr | None) -> SecretStr | None:
        return None if key is None else SecretStr(check_signing_key(key.get_secret_value()))

    @field_validator("database_url", "admin_database_url")
    @classmethod
    def _check_database_url(cls, url: SecretStr) -> SecretStr:
        fault = find_address_fault(url.get_secret_value()) if url.get_secret_value() else None
        if fault is not None:
            raise ValueError(fault)
        return url

    @field_validator("secret_ref_prefix")
    @classmethod
    def _check_reference_prefix(cls, template: str) -> str:
        return checked_prefix(template) if template else template

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: str) -> str:
        for origin in [] if origins.strip() == "*" else split_origins(origins):
            if not re.fullmatch(ORIGIN, origin):
                raise ValueError("must be `*` or origins as browsers send them, such as https://app.example.org")
        return origins

    @model_validator(mode="after")
    def _check_remote_servers(self) -> Self:
        faults = []
        for field in ("database_url", "admin_database_url"):
            host = find_unverified_host(getattr(self, field).get_secret_value())
            if host is not None:
                faults.append(f"{env_name(field)} names {host}, so it needs sslmode=verify-full (and sslrootcert=FILE)")
        if self.kafka_security == "SASL_PLAINTEXT" and (host := find_remote_broker(self.kafka_bootstrap)) is not None:
            faults.append(f"DAYBOOK_KAFKA_BOOTSTRAP names {host}, so DAYBOOK_KAFKA_SECURITY must be SASL_SSL")
        if faults and self.insecure != "allow":
            raise ValueError("\n".join(f"{fault}; or set DAYBOOK_INSECURE=allow" for fault in faults))
        return self

    @model_validator(mode="after")
    def _check_kafka_authorities(self) -> Self:
        if self.kafka_ca_file and self.kafka_security.endswith("SSL"):
            try:
                ssl.create_default_context(cafile=self.kafka_ca_file)
            except OSError as error:
                fault = f"{self.kafka_ca_file} has no certificates that can be read ({error.strerror})"
                raise ValueError(f"DAYBOOK_KAFKA_CA_FILE: {fault}") from None
        return self

    @model_validator(mode="after")
    def _check_replicas(self) -> Self:
        if self.min_insync_replicas > self.replication_factor:
            raise ValueError(
                "DAYBOOK_MIN_INSYNC_REPLICAS is above DAYBOOK_REPLICATION_FACTOR: no write could be acknowledged"
            )
        return self

    @model_validator(mode="after")
    def _check_service_keys(self) -> Self:
        """A key that signs users' tokens must not be able to sign services' tokens."""
        secret, url = self.jwt_secret, self.jwks_url
        if secret is not None and secret == self.service_jwt_secret:
            raise ValueError("DAYBOOK_SERVICE_JWT_SECRET equals DAYBOOK_JWT_SECRET: " + OWN_KEYS)
        if url is not None and self.service_jwks_url is not None and lead_to_same_keys(url, self.service_jwks_url):
            raise ValueError("DAYBOOK_SERVICE_JWKS_URL equals DAYBOOK_JWKS_URL: " + OWN_KEYS)
        return self


def load_settings() -> Settings:
    """The settings of this process. Raises `SettingsError` with one line per fault. No faulty value is quoted."""
    try:
        return Settings()
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise SettingsError("\n".join(map(_describe_fault, details))) from None


def require_kafka(settings: Settings) -> str:
    """The bootstrap servers. Raises `SettingsError` if there are none."""
    if not settings.kafka_bootstrap:
        raise SettingsError(f"{env_name('kafka_bootstrap')} is not set: {NO_SERVER}")
    return settings.kafka_bootstrap


def require_database(settings: Settings) -> str:
    """The database's URL. It holds the password: do not log it. Raises `SettingsError` if there is none."""
    url = settings.database_url.get_secret_value()
    if not url:
        raise SettingsError(f"{env_name('database_url')} is not set: {NO_SERVER}")
    return url


def as_administrator(settings: Settings) -> Settings:
    """The settings with `DAYBOOK_ADMIN_DATABASE_URL` as the database's URL, where it is set."""
    url = settings.admin_database_url
    return settings.model_copy(update={"database_url": url}) if url.get_secret_value() else settings


def require_token_keys(settings: Settings) -> None:
    """Raises `SettingsError` if no key is set to verify tokens with."""
    if not has_token_keys(settings):
        for_all = f"{env_name('jwt_secret')} or {env_name('jwks_url')}"
        for_services = f"{env_name('service_jwt_secret')} or {env_name('service_jwks_url')}"
        raise SettingsError(
            f"no key is set to verify tokens with: set {for_all}; if all callers are services, {for_services} is enough"
        )


def has_token_keys(settings: Settings) -> bool:
    return any((settings.jwt_secret, settings.jwks_url, settings.service_jwt_secret, settings.service_jwks_url))


def split_origins(origins: str) -> tuple[str, ...]:
    """The origins of `DAYBOOK_CORS_ORIGINS`."""
    return tuple(origin.strip() for origin in origins.split(",") if origin.strip())


def env_name(field: str) -> str:
    return ENV_PREFIX + field.upper()


def _describe_fault(detail: ErrorDetails) -> str:
    field, message = ".".join(str(part) for part in detail["loc"]), detail["msg"].removeprefix("Value error, ")
    return f"{env_name(field)}: {message}" if field else message
