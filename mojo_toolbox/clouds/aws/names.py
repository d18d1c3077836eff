"""The names that a model's things have on AWS: endpoints, jobs, S3 keys, roles, buckets and tags. Pure.

AWS refuses dots and underscores in names, and takes upper and lower case for the same endpoint.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from mojo_toolbox.errors import InvalidNameError
from mojo_toolbox.names import VERSION_LENGTH, ModelKey, clean, joined, require_name
from mojo_toolbox.spelling import canonical

# SageMaker: models, endpoint configurations, endpoints and training jobs alike, ^[a-zA-Z0-9](-*[a-zA-Z0-9])*$.
MAX_NAME_LENGTH = 63
_BASE_LENGTH = MAX_NAME_LENGTH - VERSION_LENGTH - len("--")
_AWS_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
TAG_PREFIX = "mojo:"
MANAGED_BY = "mojo-toolbox"


def endpoint_name(key: ModelKey, stage: str) -> str:
    """Return the endpoint's name. `predict()` derives it too, so that asking needs no look-up."""
    return joined([key.product, key.task, key.model_id, require_name("stage", stage)], limit=MAX_NAME_LENGTH)


def require_unhashed(key: ModelKey, stage: str) -> None:
    """Refuse names of which the endpoint's name keeps a hash only.

    Raises:
        InvalidNameError: a part that AWS does not take as it is, or a name that is too long. A clean one is proposed.
    """
    given = _parts(key, stage)
    name = endpoint_name(key, stage)
    agree = "or agree to that name with allow_hashed_names=True."
    for field, part in _misfits(given).items():
        example = f", such as {close!r}" if (close := clean(part)) else ""
        raise InvalidNameError(
            f"{field} {part!r} does not fit into AWS's names: the endpoint would be called {name!r}. Use lower-case "
            f"letters, digits and single dashes{example}, {agree}"
        )
    length = len("--".join(given.values()))
    if length > MAX_NAME_LENGTH:
        raise InvalidNameError(
            f"The endpoint's name has {length} characters and AWS takes {MAX_NAME_LENGTH}: it would be called {name!r}. "
            f"Shorten product, task, model_id or stage, {agree}"
        )


def about_hash(key: ModelKey, stage: str) -> str:
    """Say, in a sentence, why the endpoint's name ends with a hash. Empty where it does not.

    For commands that find nothing under such a name, mostly because of a typo.
    """
    given = _parts(key, stage)
    misfits = _misfits(given)
    if misfits:
        named = " and ".join(f"{field} {part!r}" for field, part in misfits.items())
        verb = "does" if len(misfits) == 1 else "do"
        cleaned = {field: close for field, part in misfits.items() if (close := clean(part))}
        meant = ", ".join(f"{field} {close!r}" for field, close in cleaned.items())
        hint = f" Did you mean {meant}?" if meant else ""
        return f"The name ends with a hash because {named} {verb} not fit into AWS's names.{hint}"
    length = len("--".join(given.values()))
    if length > MAX_NAME_LENGTH:
        return (
            f"The name ends with a hash because product, task, model_id and stage have {length} characters together, "
            f"and AWS takes {MAX_NAME_LENGTH}."
        )
    return ""


def _parts(key: ModelKey, stage: str) -> dict[str, str]:
    return {"product": key.product, "task": key.task, "model_id": key.model_id, "stage": require_name("stage", stage)}


def _misfits(given: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of a name that AWS does not take as they are."""
    return {field: part for field, part in given.items() if clean(part) != part}


def job_base(key: ModelKey) -> str:
    """Return the beginning of the names of all training jobs of this model."""
    return joined([key.product, key.task, key.model_id], limit=_BASE_LENGTH)


def deployment_base(key: ModelKey, stage: str) -> str:
    """Return the beginning of the names of all models and endpoint configurations behind one endpoint."""
    return joined([key.product, key.task, key.model_id, require_name("stage", stage)], limit=_BASE_LENGTH)


def versioned(base: str, version: str) -> str:
    """Return the name of one version of what `base` names. `version` comes from `new_version()`."""
    return f"{base}--{version}"


def version_time(versioned_name: str) -> str:
    """Return the part of a versioned name that sorts by time, to the second."""
    return versioned_name.rpartition("-")[0]


def is_resource_name(name: object) -> bool:
    """Return whether something of SageMaker's can have this name."""
    return isinstance(name, str) and len(name) <= MAX_NAME_LENGTH and _AWS_NAME.fullmatch(name) is not None


def require_resource_name(kind: str, name: str) -> str:
    """Return `name` if SageMaker takes it, for names that the user chose.

    Raises:
        InvalidNameError: characters that AWS refuses, or more than 63.
    """
    if not isinstance(name, str):
        raise InvalidNameError(f"{kind} must be text, not {type(name).__name__}.")
    if not is_resource_name(name):
        suggestion = joined([name], limit=MAX_NAME_LENGTH)
        raise InvalidNameError(
            f"{kind} {name!r} is not a name that AWS takes: letters, digits and inner dashes, at most "
            f"{MAX_NAME_LENGTH} (this has {len(name)}). Try {suggestion!r}."
        )
    return name


def s3_prefix(key: ModelKey) -> str:
    """Return the S3 prefix, without a slash at its end, of all objects of this model."""
    return "/".join(joined([part], limit=MAX_NAME_LENGTH) for part in (key.product, key.task, key.model_id))


def role_arn(role: str, region_name: str, account_id: str) -> str:
    """Return the ARN of a role of this account that is given by its name."""
    partition = (
        "aws-cn" if region_name.startswith("cn-") else "aws-us-gov" if region_name.startswith("us-gov-") else "aws"
    )
    return f"arn:{partition}:iam::{account_id}:role/{role}"


def default_bucket(region_name: str, account_id: str) -> str:
    """Return the bucket's default name: bucket names are global, so it contains the account."""
    return f"mojo-toolbox-{region_name}-{account_id}"


def tags(key: ModelKey, *, stage: str | None = None, version: str) -> list[dict[str, str]]:
    """Return the tags that every resource carries, in AWS's form.

    AWS takes letters of any script, digits, blanks and `_.:/=+-@` in tag values: anything else becomes an underscore.
    """
    values = {"product": key.product, "task": key.task, "model-id": key.model_id, "version": version}
    if stage is not None:
        values["stage"] = stage
    if (digest := lossy_digest(key)) is not None:
        values["key"] = digest
    values["managed-by"] = MANAGED_BY
    return [{"Key": TAG_PREFIX + name, "Value": tag_value(value)} for name, value in values.items()]


def lossy_digest(key: ModelKey) -> str | None:
    """Return a digest that tells keys apart whose tags read the same, as "c#" and "c*". None if the tags suffice."""
    parts = (key.product, key.task, key.model_id)
    if all(tag_value(part) == part for part in parts):
        return None
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def tag_value(value: str) -> str:
    """Return `value` as AWS takes it in a tag."""
    return re.sub(r"[^\w\s.:/=+\-@]", "_", canonical(value))[:256]


def digest_from_tags(resource_tags: list[dict[str, str]]) -> str | None:
    """Return the `lossy_digest` that a resource was tagged with."""
    return next((tag["Value"] for tag in resource_tags if tag["Key"] == f"{TAG_PREFIX}key"), None)


def key_from_tags(resource_tags: list[dict[str, str]]) -> tuple[ModelKey, str | None, str] | None:
    """Return (key, stage, version) of a resource of ours, or None when the tags are not ours."""
    values = {
        tag["Key"].removeprefix(TAG_PREFIX): tag["Value"] for tag in resource_tags if tag["Key"].startswith(TAG_PREFIX)
    }
    if values.get("managed-by") != MANAGED_BY:
        return None
    key = ModelKey(product=values["product"], task=values["task"], model_id=values["model-id"])
    return key, values.get("stage"), values.get("version", "")
