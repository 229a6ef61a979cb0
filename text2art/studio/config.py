"""The studio's own configuration: one frozen model from flags, `studio.yaml` and the environment.

Later wins: defaults < `studio.yaml` < `TEXT2ART_STUDIO_<NAME>` < flags. Secrets belong into the
environment and are never shown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from text2art import environment
from text2art.errors import SettingsError, did_you_mean

PREFIX = "TEXT2ART_STUDIO_"
MAX_FILE = 256 * 1024


class Caps(BaseModel):
    """What a single request may ask for at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    iterations: int = Field(1000, ge=1, description="Steps of a picture.")
    steps: int = Field(10_000, ge=1, description="Steps of a whole story or animation.")
    pixels: int = Field(1_048_576, ge=256, description="Width times height of a picture.")
    cuts: int = Field(128, ge=1, description="Views per step.")
    starts: int = Field(14, ge=1, description="Random starts tried.")
    batch: int = Field(16, ge=1, le=100, description="Jobs of one request.")
    queued_per_owner: int = Field(20, ge=1, description="Jobs that an owner may have waiting.")
    running_per_owner: int = Field(0, ge=0, description="Jobs of an owner that run at once; 0=any.")
    queued: int = Field(10_000, ge=1, description="Jobs waiting altogether.")
    upload_bytes: int = Field(20_000_000, ge=1, description="Size of an uploaded file.")
    upload_pixels: int = Field(40_000_000, ge=1, description="Pixels of an uploaded picture.")
    settings_bytes: int = Field(64_000, ge=100, description="Settings of a job, as JSON.")
    video_seconds: float = Field(60, gt=0, description="Length of a video.")


class Retention(BaseModel):
    """What is cleared away and when; 0 keeps for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    undo_days: float = Field(7, ge=0, description="Days in which a deletion can be undone.")
    private_days: float = Field(0, ge=0, description="Days that unpublished jobs are kept.")
    public_days: float = Field(0, ge=0, description="Days that published jobs are kept.")
    ended_days: float = Field(
        30, ge=0, description="Days that failed and canceled jobs without a picture are kept."
    )
    upload_days: float = Field(7, ge=0, description="Days that unused uploads are kept.")
    frames_days: float = Field(0, ge=0, description="Days that the frames of a making are kept.")
    gigabytes: float = Field(
        0, ge=0, description="Files altogether; beyond, the oldest unpublished jobs go first."
    )


class StudioConfig(BaseModel):
    """Everything that decides how a studio runs, and nothing that decides a picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 = any free one.")
    public_url: str = Field("", description="Address by which others reach the studio.")
    data: Path = Field(default_factory=lambda: environment.home() / "studio")
    database: str = Field("", description="Database URL; default: SQLite in the data folder.")
    files: str = Field("", description="Folder or fsspec URL of files; default: in the data folder")
    workers: int = Field(1, ge=0, le=64, description="Worker processes to start.")
    together: int = Field(
        1, ge=1, le=16, description="Waiting jobs alike that a local worker draws in one step."
    )
    runner: str = Field("local", description="local, or cog=http://host:port[,http://...].")
    mode: Literal["private", "public"] = Field(
        "private",
        description="private: for people who trust each other; public: strangers are expected.",
    )
    lease_seconds: float = Field(30, gt=0, le=3600, description="Silence after which a job moves.")
    hang_seconds: float = Field(
        300, gt=0, le=86_400, description="Silence of a drawing process after which it is replaced."
    )
    checkpoint_seconds: float = Field(
        20, ge=0, le=3600, description="Time between checkpoints of a running job."
    )
    frames_per_second: float = Field(
        2, gt=0, le=30, description="Pictures of the making that are kept, at most."
    )
    max_attempts: int = Field(3, ge=1, le=20, description="Starts of a job before it is given up.")
    caps: Caps = Caps()
    retention: Retention = Retention()
    requests_per_minute: int = Field(30, ge=1, description="Jobs an owner may hand in per minute.")
    reads_per_minute: int = Field(1200, ge=1, description="Other requests of an owner per minute.")
    prompt_filter: str = Field(
        "", description="Checks of prompts: words:FILE, package.module:function, or a plug-in's."
    )
    publish_by_default: bool = Field(False, description="Whether new pictures are in the gallery.")
    trusted_proxies: str = Field("", description="Addresses whose X-Forwarded-* are believed.")
    allow_private_urls: bool = Field(False, description="Whether private addresses are fetched.")
    allow_hosts: tuple[str, ...] = Field(
        (), description="Own hosts, host:port or networks that are asked though they are private."
    )

    mail_transport: Literal["smtp", "console", "folder", "null"] = Field(
        "smtp", description="How mail leaves; folder: as .eml files in the data folder."
    )
    mail_host: str = Field("", description="SMTP server; empty: no mail.")
    mail_port: int = Field(587, ge=1, le=65535)
    mail_security: Literal["starttls", "tls", "none"] = "starttls"
    mail_user: str = ""
    mail_password: SecretStr = SecretStr("")
    mail_from: str = Field("", description="Sender of mail, as text2art <studio@example.org>.")
    mail_allow: tuple[str, ...] = Field(
        (), description="Addresses or @domains that need no confirmation."
    )
    mail_attachment_bytes: int = Field(8_000_000, ge=0)

    admin_key: SecretStr = Field(SecretStr(""), description="API key of the administrator.")
    session_secret: SecretStr = Field(
        SecretStr(""), description="Signs sessions; default: made once, kept in the data folder."
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Signs webhooks (whsec_...); default: made once."
    )

    @field_validator("public_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.strip().rstrip("/")

    @property
    def database_url(self) -> str:
        """The database: the given one, else SQLite in the data folder."""
        return self.database or f"sqlite:///{(self.data / 'studio.db').absolute()}"

    @property
    def files_url(self) -> str:
        """Where files lie: the given place, else a folder beside the database."""
        return self.files or str((self.data / "files").absolute())

    @classmethod
    def load(
        cls,
        file: Path | None = None,
        environ: Mapping[str, str] | None = None,
        **flags: Any,
    ) -> StudioConfig:
        """Read the configuration.

        Args:
            file: `studio.yaml`; default: the one in the data folder, if it is there.
            environ: default: the process's environment.
            **flags: by name; None stands for "not given".

        Raises:
            SettingsError: one readable line for everything that is wrong.
        """
        given = _from_environment(os.environ if environ is None else environ)
        given |= {name: value for name, value in flags.items() if value is not None}
        if file is None:
            default = Path(given.get("data", environment.home() / "studio")) / "studio.yaml"
            file = default if default.is_file() else None
        values = {**(_from_file(file) if file else {}), **given}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _explained(error) from None


def _explained(error: ValidationError) -> SettingsError:
    """Turn pydantic's report into one line; names are suggested from among ours alone."""
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            parts: dict[str, type[BaseModel]] = {"caps": Caps, "retention": Retention}
            group = parts.get(str(item["loc"][0])) if len(item["loc"]) > 1 else None
            known = (group or StudioConfig).model_fields
            suggestion = did_you_mean(str(item["loc"][-1]), known)
            lines.append(f"unknown setting of the studio {name!r}.{suggestion}")
        else:
            lines.append(f"{name}: {item['msg']}")
    return SettingsError("; ".join(lines))


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, info in StudioConfig.model_fields.items():
        text = environ.get(PREFIX + name.upper(), "").strip()
        if not text:
            continue
        if info.annotation in (Caps, Retention):
            values[name] = _mapping(text, PREFIX + name.upper())
        else:
            listed = name in ("mail_allow", "allow_hosts")
            values[name] = tuple(text.replace(",", " ").split()) if listed else text
    return values


def _from_file(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > MAX_FILE:
            raise SettingsError(f"{file} is larger than {MAX_FILE} bytes: it is no studio.yaml")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from None
    return _mapping(text, str(file))


def _mapping(text: str, where: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"{where} is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise SettingsError(f"{where} must be a mapping of settings, as 'port: 8000'")
    return values
