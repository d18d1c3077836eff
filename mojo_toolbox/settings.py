"""What the environment says: the only reader of environment variables and `.env`.

An argument beats the environment, the environment beats the default.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from mojo_toolbox.errors import ConfigurationError

CloudService = Literal["aws", "local"]
_PREFIX = "mojo_"
# Of the letters of two names, so many are the same where one is the other misspelt.
_ALIKE = 0.8


class Settings(BaseSettings):
    """Settings from `MOJO_…` variables, `.env`, and the plain names that other tools use."""

    model_config = SettingsConfigDict(
        env_prefix="MOJO_",
        env_file=".env",
        env_file_encoding="utf-8",
        # MOJO_HOME="" would be the current folder: an empty variable says nothing.
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    cloud_service: CloudService = "aws"
    region_name: str | None = None
    """AWS region; when unset boto's own chain decides (AWS_DEFAULT_REGION, the profile)."""
    role: str | None = Field(default=None, validation_alias=AliasChoices("MOJO_ROLE", "SAGEMAKER_ROLE", "ROLE_NAME"))
    """Name or ARN of the execution role that SageMaker assumes for jobs and endpoints."""
    bucket: str | None = None
    """S3 bucket for data, code and models; when unset `mojo-toolbox-<region>-<account>`."""
    home: Path = Field(default_factory=lambda: Path.home() / ".mojo")
    """Where the local cloud and converted base models live."""
    hf_token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("MOJO_HF_TOKEN", "HF_TOKEN"))
    """Token of the Hugging Face hub, used on this machine only; containers never get it."""
    hf_token_secret_arn: str | None = None
    """ARN of a Secrets Manager secret from which containers on AWS read the token of a gated base model."""
    openai_base_url: str | None = Field(
        default=None, validation_alias=AliasChoices("MOJO_OPENAI_BASE_URL", "OPENAI_BASE_URL")
    )
    """Address of the OpenAI-compatible server that evaluation asks; when unset OpenAI's own."""
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("MOJO_OPENAI_API_KEY", "OPENAI_API_KEY")
    )
    """Key of that server; one on this machine mostly needs none."""
    review_database: SecretStr | None = None
    """Where conversations under review lie: a file or a `postgresql://` URL, which may hold a password."""

    @field_validator("home")
    @classmethod
    def _in_the_home_folder(cls, home: Path) -> Path:
        # No shell expands what stands in `.env`.
        return home.expanduser()


def load_settings(**overrides: object) -> Settings:
    """Read the settings; arguments that are not None win over the environment.

    Raises:
        ConfigurationError: a variable holds a value that cannot be used, or has a misspelt name; the message names it.
    """
    _refuse_misspelt()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        variable = name if name.isupper() else f"MOJO_{name.upper()}"
        # The value itself is not repeated: it may be a secret.
        raise ConfigurationError(
            f"The setting {variable} (argument or environment) is wrong: {problem['msg']}."
        ) from None


def _refuse_misspelt() -> None:
    """Refuse a variable that nothing reads and that is nearly one of ours: what it says would be dropped in silence."""
    fields = list(Settings.model_fields)
    found = {**DotEnvSettingsSource(Settings).env_vars, **EnvSettingsSource(Settings).env_vars}
    given = {name.removeprefix(_PREFIX) for name, value in found.items() if name.startswith(_PREFIX) and value}
    for name in sorted(given.difference(fields)):
        near = difflib.get_close_matches(name, fields, n=1, cutoff=_ALIKE)
        meant = next(iter([field for field in fields if field.startswith(f"{name}_")] or near), None)
        if meant is not None and meant not in given:
            raise ConfigurationError(
                f"The variable {_PREFIX.upper()}{name.upper()} is not read. Did you mean {_PREFIX.upper()}{meant.upper()}?"
            )
