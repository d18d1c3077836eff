"""The account that an administrator works in: its role, bucket and names, as the settings say them."""

from __future__ import annotations

import re

from mojo_toolbox.clouds.aws import names
from mojo_toolbox.clouds.aws.base_model_places import BaseModelPlace, find_base_model
from mojo_toolbox.clouds.aws.request_rules import UNASKED_ACCOUNT
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.clouds.aws.storage import Storage, require_bucket_name
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.names import ModelKey
from mojo_toolbox.settings import Settings, require_names

_LOCAL_ROLE = "mojo-local"
# A name, or an ARN as SageMaker's API takes it.
_ROLE = re.compile(r"(?:[\w+=,.@/-]{0,511}/)?[\w+=,.@-]{1,64}|arn:aws[a-z-]*:iam::\d{12}:role/?[\w+=,.@/-]+", re.ASCII)


class Account:
    """Gives every plan its facts. With `dry_run` it asks nobody, and a mark replaces the account's number."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.session = Session(settings)

    def require_access(self) -> None:
        """Raise unless role, credentials and bucket can be used. Asks AWS, and changes nothing there."""
        self.role_arn(dry_run=True)
        self.usable_storage()

    def key(self, *, product: str | None, task: str | None, model_id: str | None) -> ModelKey:
        """Return the model's name. Parts that are None come from the settings."""
        return ModelKey(**require_names(self.settings, product=product, task=task, model_id=model_id))

    def stage(self, given: str | None) -> str:
        """Return the stage that is `given`, or the one that the settings name."""
        return self.settings.stage if given is None else given

    def require_agreed_name(self, key: ModelKey, stage: str) -> None:
        """Refuse a name that AWS takes only with a hash, unless the user agreed to such names."""
        if not self.settings.allow_hashed_names:
            names.require_unhashed(key, stage)

    def storage(self, *, dry_run: bool) -> Storage:
        """Return the bucket, whether or not it can be used."""
        bucket = self.settings.bucket
        if bucket is not None:
            require_bucket_name(bucket)
        else:
            account = UNASKED_ACCOUNT if dry_run else self.session.account_id
            bucket = names.default_bucket(self.session.region_name, account)
        return Storage(self.session, bucket)

    def usable_storage(self) -> Storage:
        """Return the bucket, once AWS has said that the credentials are good and that it can be used."""
        storage = self.storage(dry_run=False)
        storage.require_usable()
        return storage

    def role_arn(self, *, dry_run: bool) -> str:
        """Return the ARN of the role that jobs and endpoints run with.

        Raises:
            ConfigurationError: no role is set, or it is neither a role's name nor an ARN.
        """
        role = self.settings.role or (_LOCAL_ROLE if self.session.is_local else None)
        if role is None:
            raise ConfigurationError(
                "SageMaker needs an execution role. Pass role='…' (a name or an ARN), or set MOJO_ROLE or SAGEMAKER_ROLE."
            )
        if not _ROLE.fullmatch(role):
            raise ConfigurationError(
                f"role={role!r} is neither a role's name nor its ARN, such as arn:aws:iam::111122223333:role/MojoSageMaker."
            )
        if role.startswith("arn:"):
            return role
        account = UNASKED_ACCOUNT if dry_run else self.session.account_id
        return names.role_arn(role, self.session.region_name, account)

    def token_environment(self) -> dict[str, str]:
        """Name the secret that holds Hugging Face's token. The token itself never travels."""
        arn = self.settings.hf_token_secret_arn
        return {} if arn is None or self.session.is_local else {"MOJO_HF_TOKEN_SECRET_ARN": arn}

    def find_base(self, name: str, storage: Storage) -> BaseModelPlace:
        """Find a base model by its name, on this machine or on Hugging Face's hub.

        Raises:
            BaseModelNotFoundError: it is looked up and not there.
        """
        token = self.settings.hf_token
        return find_base_model(
            name,
            storage,
            cache_dir=self.settings.home / "base_models",
            token=token.get_secret_value() if token else None,
            # A container on AWS reads the hub by itself. On this machine we know already whether it can.
            look_up=self.session.is_local,
        )
