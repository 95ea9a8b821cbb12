"""All environment variables, read once by the entry points."""

import os
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024


def home_directory() -> Path:
    """Where all local state lives: `PERDURE_HOME`, or `.perdure` in the working directory."""
    return Path(os.environ.get("PERDURE_HOME", ".perdure")).absolute()


class Settings(BaseSettings):
    """Configuration of every process.

    Sources, first wins: the environment, then `<home>/stack.env`, which `perdure up` writes with the
    addresses of the embedded parts it started.
    """

    model_config = SettingsConfigDict(env_prefix="PERDURE_", extra="ignore", populate_by_name=True)

    home: Path = Field(default_factory=home_directory)
    model_home: Path | None = None

    database_url: str = Field(default="", validation_alias="DATABASE_URL")
    database_owner_url: str = Field(default="", validation_alias="DATABASE_OWNER_URL")
    database_pool_size: int = Field(default=10, ge=1)

    temporal_address: str = Field(default="", validation_alias="TEMPORAL_ADDRESS")
    temporal_namespace: str = Field(default="default", validation_alias="TEMPORAL_NAMESPACE")
    temporal_api_key: str = Field(default="", validation_alias="TEMPORAL_API_KEY")
    temporal_tls_cert: Path | None = Field(default=None, validation_alias="TEMPORAL_TLS_CERT")
    temporal_tls_key: Path | None = Field(default=None, validation_alias="TEMPORAL_TLS_KEY")
    temporal_ui_url: str = Field(default="http://127.0.0.1:8233", validation_alias="TEMPORAL_UI_URL")

    object_store_url: str = Field(default="", validation_alias="OBJECT_STORE_URL")

    api_host: str = "127.0.0.1"
    api_port: int = 8000
    temporal_port: int = 7233
    temporal_ui_port: int = 8233
    public_url: str = ""
    secure_cookies: bool = False
    secret_key: str = ""
    master_keys: str = Field(default="", repr=False)
    master_passphrase: str = Field(default="", repr=False)
    master_key_file: Path | None = None
    kms_command: str = ""

    build_id: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    otlp_endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otlp_traces_endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    otlp_protocol: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL")
    otel_traces_exporter: str = Field(default="otlp", validation_alias="OTEL_TRACES_EXPORTER")
    otel_sdk_disabled: bool = Field(default=False, validation_alias="OTEL_SDK_DISABLED")
    worker_metrics_address: str = ""
    stuck_after_s: float = Field(default=900.0, gt=0)

    max_upload_bytes: int = 200 * MEBIBYTE
    max_json_bytes: int = 32 * MEBIBYTE

    parse_timeout_s: float = 60.0
    parse_memory_bytes: int = 512 * MEBIBYTE
    parse_max_pages: int = 5_000
    parse_max_inflated_bytes: int = 512 * MEBIBYTE
    parse_max_text_bytes: int = 50 * MEBIBYTE
    parse_children: int = Field(default=2, ge=1)
    parse_child_idle_s: float = 20.0

    rate_limits: str = ""
    redis_url: str = Field(default="", validation_alias="REDIS_URL")

    openai_api_key: str = Field(default="", repr=False, validation_alias="OPENAI_API_KEY")
    openai_base_url: str = Field(default="", validation_alias="OPENAI_BASE_URL")
    openai_model: str = Field(default="", validation_alias="OPENAI_MODEL")
    anthropic_api_key: str = Field(default="", repr=False, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str = Field(default="", validation_alias="ANTHROPIC_BASE_URL")
    anthropic_model: str = Field(default="", validation_alias="ANTHROPIC_MODEL")
    provider_private_urls: bool = False

    smtp_url: str = Field(default="", repr=False)
    smtp_ca_file: Path | None = None
    mail_from: str = ""
    webhook_allow_hosts: str = ""
    monitor_every_min: float = Field(default=5.0, gt=0)

    fetch_timeout_s: float = 30.0
    fetch_max_bytes: int = 100 * MEBIBYTE
    fetch_allow_hosts: str = ""

    embedding_precision: Literal["int8", "fp32"] = "int8"
    embedding_threads: int = Field(default=0, ge=0)
    max_chunk_tokens: int = Field(default=200, ge=32, le=254)
    exact_search_below: int = 5_000

    reconcile_interval_s: float = 0.5

    retention_every_h: float = Field(default=24.0, gt=0)

    audit_anchor_url: str = ""
    audit_anchor_interval_s: float = Field(default=10.0, gt=0)

    @field_validator("master_key_file", "model_home", mode="before")
    @classmethod
    def _unset_when_empty(cls, value: object) -> object:
        return value or None  # an empty path would be the working directory

    @field_validator("home", "master_key_file", "model_home")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.absolute() if value else None

    @cached_property
    def objects_url(self) -> str:
        """Address of the object store; a directory under `home` unless configured."""
        return self.object_store_url or (self.home / "objects").as_uri()

    @property
    def tracing(self) -> bool:
        """Whether spans are exported, by the variables of OpenTelemetry."""
        has_endpoint = bool(self.otlp_endpoint or self.otlp_traces_endpoint)
        return has_endpoint and self.otel_traces_exporter == "otlp" and not self.otel_sdk_disabled

    @property
    def model_directory(self) -> Path:
        """Where the exported ONNX models lie; an image brings its own."""
        return self.model_home or self.home / "models"

    @classmethod
    def load(cls) -> "Settings":
        """Read the environment and `<home>/stack.env`."""
        return cls(_env_file=home_directory() / "stack.env")


class ClientSettings(BaseSettings):
    """How the command line reaches the API: the environment first, then `<home>/demo.env`."""

    model_config = SettingsConfigDict(env_prefix="PERDURE_", extra="ignore")

    url: str = "http://127.0.0.1:8000"
    api_key: str = ""

    @classmethod
    def load(cls) -> "ClientSettings":
        """Read the environment and `<home>/demo.env`, which `make run` writes."""
        return cls(_env_file=home_directory() / "demo.env")
