"""Every setting, declared once. Read once, in `main`, from `HUIFANG_*`; `HUIFANG_…_FILE` names a file that holds it."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails

from services.errors import ConfigurationError

PREFIX = "HUIFANG_"
_ADDRESS = re.compile(r"[^\s,:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


class Settings(BaseModel):
    """What an installation decides. Field `smtp_url` is the variable `HUIFANG_SMTP_URL`, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    database_connections: int = Field(default=10, ge=2, le=200, description="Connections that one process may hold.")
    kafka: str = Field(description="Bootstrap addresses, host:port, comma-separated.")
    kafka_partitions: int = Field(default=6, ge=1, le=1000, description="Partitions of topics that have to be created.")
    kafka_replicas: int = Field(default=1, ge=1, le=7, description="Replicas of topics that have to be created.")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Kafka's security.protocol."
    )
    kafka_user: str | None = Field(default=None, description="SASL user (SCRAM-SHA-512).")
    kafka_password: SecretStr | None = Field(default=None, description="SASL password.")
    kafka_ca_file: Path | None = Field(default=None, description="Certificate authority of the brokers.")
    keyring: SecretStr = Field(
        description="Keys that seal personal data, newest first: id:base64 of 32 bytes, comma-separated."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Port to listen on; each room has its own default."
    )
    public_url: str = Field(default="http://127.0.0.1:8000", description="What customers' links begin with.")
    public_hosts: str = Field(
        default="", description="Further names under which customers reach their pages, comma-separated."
    )
    trusted_proxies: str = Field(default="", description="Addresses whose X-Forwarded-* headers are believed.")
    docs: bool = Field(default=True, description="Whether /docs and /openapi.json exist (with a key).")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level logged.")
    log_form: Literal["json", "console"] = Field(default="json", description="Shape of the log lines.")
    policies: Path | None = Field(
        default=None, description="Folder of policies to install at start; default: own pack."
    )
    mappings: Path | None = Field(default=None, description="Folder of further ITSM mappings.")
    phone_region: str = Field(default="CN", description="Country of telephone numbers without a country code.")
    smtp_url: SecretStr | None = Field(
        default=None,
        description="smtp://user:password@host:port?tls=none|starttls|implicit; without it no mail leaves.",
    )
    mail_from: str = Field(default="satisfaction@example.com", description="Sender address of mails.")
    sms_provider: Literal["none", "http", "twilio", "aliyun"] = Field(default="none", description="Who sends SMS.")
    sms_url: str | None = Field(default=None, description="Address of the SMS gateway's API.")
    sms_account: str | None = Field(default=None, description="Account, access key id or SID at the SMS provider.")
    sms_secret: SecretStr | None = Field(default=None, description="Token or secret at the SMS provider.")
    sms_sender: str | None = Field(default=None, description="Sender number, or approved signature.")
    sms_template: str | None = Field(default=None, description="Approved template, where the provider demands one.")
    sweep_patience: timedelta = Field(
        default=timedelta(minutes=5),
        description="How long a sweeper waits for an echo before it says a thing again, like PT5M.",
    )
    shutdown_seconds: float = Field(default=25, ge=1, le=300, description="Deadline of an ordered stop.")

    @property
    def public_host(self) -> str:
        """The name in the public address."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def further_hosts(self) -> frozenset[str]:
        """The further names, in lower case."""
        return frozenset(name.strip().lower() for name in self.public_hosts.split(",") if name.strip())

    @property
    def is_local(self) -> bool:
        """Whether the public address is this machine itself, so that nobody else reaches it."""
        try:
            return ip_address(self.public_host).is_loopback
        except ValueError:
            return self.public_host == "localhost"

    @field_validator("database_url")
    @classmethod
    def _speaks_postgresql(cls, value: SecretStr) -> SecretStr:
        return _one_of(value, "postgresql://", "postgres://")

    @field_validator("kafka")
    @classmethod
    def _lists_addresses(cls, value: str) -> str:
        addresses = [each.strip() for each in value.split(",")]
        if not all(_ADDRESS.fullmatch(each) for each in addresses):
            raise ValueError("must be host:port, or several of them with commas between")
        return ",".join(addresses)

    @field_validator("public_url")
    @classmethod
    def _leads_to_pages(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")


def read_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """The settings of this process; `overrides` (embedded mode, tests) win over the environment.

    An empty variable counts as not set. Raises `ConfigurationError` that names each wrong variable and what it is for.
    """
    environment = os.environ if environment is None else environment
    found = {name: value for name in Settings.model_fields if (value := _find(name, environment)) is not None}
    try:
        return Settings.model_validate({**found, **overrides})
    except ValidationError as error:
        raise ConfigurationError("\n".join(_complaint(each) for each in error.errors(include_input=False))) from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that begin like ours and are none: mistyped ones, for the most part."""
    known = {PREFIX + name.upper() + suffix for name in Settings.model_fields for suffix in ("", "_FILE")}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _find(name: str, environment: Mapping[str, str]) -> str | None:
    variable = PREFIX + name.upper()
    value, file = environment.get(variable, ""), environment.get(f"{variable}_FILE", "")
    if value and file:
        raise ConfigurationError(f"{variable}: is set, and so is {variable}_FILE; keep one of them")
    return (_secret_file(f"{variable}_FILE", Path(file)) if file else value) or None


def _secret_file(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{variable}: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{variable}: {path} is not a text file") from None


def _complaint(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    field = Settings.model_fields.get(name)
    what = "is not set" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{name.upper()}: {what}. {field.description if field else 'There is no such setting.'}"


def _one_of(value: SecretStr, *beginnings: str) -> SecretStr:
    if not value.get_secret_value().startswith(beginnings):
        raise ValueError(f"must begin with {' or '.join(beginnings)}")
    return value
