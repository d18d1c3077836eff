"""Settings from the environment and the project: the only reader of environment variables, `.env` and `mojo.toml`.

An argument beats the environment, the environment beats `.env`, that beats the project file, and that the default.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.settings.project_file import FILE_NAME, find_project_file, read_project_file

CloudService = Literal["aws", "local"]
_PREFIX = "mojo_"
_ENV_FILE = ".env"
# Of the letters of two names, so many are the same where one is the other misspelt.
_ALIKE = 0.8


class Settings(BaseSettings):
    """Settings from `MOJO_…` variables, `.env`, the plain names that other tools use, and `mojo.toml`."""

    model_config = SettingsConfigDict(
        env_prefix="MOJO_",
        env_file=_ENV_FILE,
        env_file_encoding="utf-8",
        # MOJO_HOME="" would be the current folder: an empty variable says nothing.
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    product: str | None = None
    """The application that the model serves. With `task` and `model_id` it names the model."""
    task: str | None = None
    """The model's purpose, such as "routing"."""
    model_id: str | None = None
    """The fine-tuned model's name."""
    stage: str = "dev"
    """The endpoint of the model: "dev", "prod" or another."""
    allow_hashed_names: bool = False
    """Whether a new endpoint may get a name that ends with a hash, because AWS does not take the given names."""
    cloud_service: CloudService = "aws"
    region_name: str | None = None
    """AWS region. Unset: boto's own chain decides (AWS_DEFAULT_REGION, the profile)."""
    role: str | None = Field(default=None, validation_alias=AliasChoices("MOJO_ROLE", "SAGEMAKER_ROLE", "ROLE_NAME"))
    """Name or ARN of the execution role that SageMaker assumes for jobs and endpoints."""
    bucket: str | None = None
    """S3 bucket for data, code and models. Unset: `mojo-toolbox-<region>-<account>`."""
    home: Path = Field(default_factory=lambda: Path.home() / ".mojo")
    """Folder of the local cloud and of converted base models."""
    hf_token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("MOJO_HF_TOKEN", "HF_TOKEN"))
    """Token of Hugging Face's hub, used on this machine only. Containers never get it."""
    hf_token_secret_arn: str | None = None
    """ARN of a Secrets Manager secret from which containers on AWS read the token of a gated base model."""
    openai_base_url: str | None = Field(
        default=None, validation_alias=AliasChoices("MOJO_OPENAI_BASE_URL", "OPENAI_BASE_URL")
    )
    """Address of the OpenAI-compatible server that evaluation asks. Unset: OpenAI's own."""
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("MOJO_OPENAI_API_KEY", "OPENAI_API_KEY")
    )
    """Key of that server. A server on this machine rarely needs one."""
    review_database: SecretStr | None = None
    """Database of conversations under review: a file or a `postgresql://` URL, which may contain a password."""

    @field_validator("home")
    @classmethod
    def _in_the_home_folder(cls, home: Path) -> Path:
        # No shell expands `~` in `.env`.
        return home.expanduser()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the project file last: it sets only values that neither an argument nor the environment sets."""
        project = InitSettingsSource(settings_cls, _project_values(settings_cls))
        return init_settings, env_settings, dotenv_settings, project


def load_settings(**overrides: object) -> Settings:
    """Read the settings. Arguments that are not None win over the environment.

    Raises:
        ConfigurationError: a variable holds a value that cannot be used, or has a misspelt name. The message names it.
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
        place = "argument" if name in given else _place_of(name, variable)
        raise ConfigurationError(f"The setting {variable} ({place}) is wrong: {problem['msg']}.") from None


def _place_of(name: str, variable: str) -> str:
    """Say whether the setting `name` comes from a variable of the environment, or else from `.env`."""
    names = {name.lower(), variable.lower()}
    if names.isdisjoint(_set_in(EnvSettingsSource(Settings))):
        return str(Path(_ENV_FILE).absolute())
    return "environment"


def _set_in(source: EnvSettingsSource) -> set[str]:
    return {name.lower() for name, value in source.env_vars.items() if value}


def _refuse_misspelt() -> None:
    """Refuse a variable that nothing reads and that is nearly one of ours. Otherwise its value would be dropped in silence."""
    fields = list(Settings.model_fields)
    found = {**DotEnvSettingsSource(Settings).env_vars, **EnvSettingsSource(Settings).env_vars}
    given = {name.removeprefix(_PREFIX) for name, value in found.items() if name.startswith(_PREFIX) and value}
    for name in sorted(given.difference(fields)):
        near = difflib.get_close_matches(name, fields, n=1, cutoff=_ALIKE)
        meant = next(iter([field for field in fields if field.startswith(f"{name}_")] or near), None)
        if meant is not None and meant not in given:
            in_file = _PREFIX + name not in _set_in(EnvSettingsSource(Settings))
            where = f" It is set in {Path(_ENV_FILE).absolute()}." if in_file else ""
            raise ConfigurationError(
                f"The variable {_PREFIX.upper()}{name.upper()} is not read. Did you mean {_PREFIX.upper()}{meant.upper()}?{where}"
            )


def require_names(settings: Settings, **given: str | None) -> dict[str, str]:
    """Return the names that are `given` (such as `product`). A name that is None comes from the settings.

    Raises:
        ConfigurationError: a name that is neither given nor set.
    """
    names = {name: getattr(settings, name) if value is None else value for name, value in given.items()}
    missing = [name for name, value in names.items() if value is None]
    if missing:
        passed = ", ".join(f"{name}=…" for name in missing)
        variables = ", ".join(f"MOJO_{name.upper()}" for name in missing)
        them = "it" if len(missing) == 1 else "them"
        raise ConfigurationError(
            f"Missing: {passed}. Give {them}, set {variables}, or write {them} to {FILE_NAME} (mojo init)."
        )
    return names


def _project_values(kind: type[BaseSettings]) -> dict[str, Any]:
    """Return the checked values of the project file, or nothing if there is no file."""
    try:
        path = find_project_file(Path.cwd())
    except FileNotFoundError:  # the folder that one worked in is gone
        return {}
    if path is None:
        return {}
    kinds = {name: field.annotation for name, field in kind.model_fields.items()}
    secrets = [name for name, annotation in kinds.items() if "SecretStr" in str(annotation)]
    allowed = {name: annotation for name, annotation in kinds.items() if name not in secrets}
    values = read_project_file(path).checked(allowed, secrets=secrets)
    if "home" in values:
        # The file says it of its own folder, wherever below one works.
        values["home"] = path.parent / Path(values["home"]).expanduser()
    return values
