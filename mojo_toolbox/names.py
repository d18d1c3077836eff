"""(product, task, model_id, stage) -> the names of AWS resources, S3 keys and tags.

A name joins its clean parts with "--". A part is clean when it consists of lower-case letters, digits and single inner
dashes; then the join can be taken apart again, so two different clean names never meet. As soon as a part had to be
changed (AWS refuses dots and underscores, and takes upper and lower case for the same endpoint) or the whole is too
long, a hash of the original parts is appended: what was lost in the spelling stays in the hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mojo_toolbox.errors import InvalidNameError
from mojo_toolbox.spelling import canonical, misspelling

# SageMaker: models, endpoint configurations, endpoints and training jobs alike, ^[a-zA-Z0-9](-*[a-zA-Z0-9])*$.
MAX_NAME_LENGTH = 63
_HASH_LENGTH = 10
_MAX_PART_LENGTH = 128
_VERSION_LENGTH = len("20260131-235959-ab12")
_BASE_LENGTH = MAX_NAME_LENGTH - _VERSION_LENGTH - len("--")
_AWS_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
TAG_PREFIX = "mojo:"
MANAGED_BY = "mojo-toolbox"


@dataclass(frozen=True)
class ModelKey:
    """What names one fine-tuned model: the product that uses it, what it is for, and its own name."""

    product: str
    task: str
    model_id: str

    def __post_init__(self) -> None:
        for field in ("product", "task", "model_id"):
            # Two keyboards type an accent in two ways: both must name the same endpoint.
            object.__setattr__(self, field, require_name(field, getattr(self, field)))


def require_name(field: str, value: object) -> str:
    """Return `value` in its one spelling, if it is a name: 1 to 128 characters that people see, no surrounding blanks."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidNameError(f"{field} must be a name, not {value!r}.")
    name = canonical(value)
    if len(name) > _MAX_PART_LENGTH:
        raise InvalidNameError(
            f"{field} {name[:40]!r}… has {len(name)} characters; a name has at most {_MAX_PART_LENGTH}."
        )
    if problem := misspelling(name):
        raise InvalidNameError(f"{field} {name!r} {problem}. Write it without.")
    return name


def _clean(part: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")


def _join(parts: list[str], *, limit: int) -> str:
    cleaned = [_clean(part) for part in parts]
    name = "--".join(part for part in cleaned if part)
    if name and cleaned == parts and len(name) <= limit:
        return name
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_HASH_LENGTH]
    # Three dashes cannot come out of a join of clean parts, so no hashed name equals an unhashed one.
    head = name[: limit - _HASH_LENGTH - 3].strip("-")
    return f"{head}---{digest}" if head else digest


def endpoint_name(key: ModelKey, stage: str) -> str:
    """Return the endpoint's name; `predict()` derives it too, so that asking needs no look-up."""
    return _join([key.product, key.task, key.model_id, require_name("stage", stage)], limit=MAX_NAME_LENGTH)


def require_unhashed(key: ModelKey, stage: str) -> None:
    """Refuse names of which the endpoint's name keeps a hash only.

    Raises:
        InvalidNameError: a part that AWS does not take as it is, or a name that is too long; a clean one is proposed.
    """
    given = _parts(key, stage)
    name = endpoint_name(key, stage)
    agree = "or agree to that name with allow_hashed_names=True."
    for field, part in _misfits(given).items():
        example = f", such as {clean!r}" if (clean := _clean(part)) else ""
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
    """Say, in a sentence, why the endpoint's name ends with a hash; empty where it does not.

    For what finds nothing under such a name: a typo is mostly why.
    """
    given = _parts(key, stage)
    misfits = _misfits(given)
    if misfits:
        named = " and ".join(f"{field} {part!r}" for field, part in misfits.items())
        verb = "does" if len(misfits) == 1 else "do"
        cleaned = {field: clean for field, part in misfits.items() if (clean := _clean(part))}
        meant = ", ".join(f"{field} {clean!r}" for field, clean in cleaned.items())
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
    return {field: part for field, part in given.items() if _clean(part) != part}


def job_base(key: ModelKey) -> str:
    """Return what the names of all training jobs of this model begin with."""
    return _join([key.product, key.task, key.model_id], limit=_BASE_LENGTH)


def deployment_base(key: ModelKey, stage: str) -> str:
    """Return what the names of all models and endpoint configurations behind one endpoint begin with."""
    return _join([key.product, key.task, key.model_id, require_name("stage", stage)], limit=_BASE_LENGTH)


def versioned(base: str, version: str) -> str:
    """Return the name of one version of what `base` names; `version` comes from `new_version()`."""
    return f"{base}--{version}"


def version_time(versioned_name: str) -> str:
    """Return the part of a versioned name that sorts by time, to the second."""
    return versioned_name.rpartition("-")[0]


def new_version() -> str:
    """Return a version that sorts by time (UTC) and differs between two calls within the same second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


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
        suggestion = _join([name], limit=MAX_NAME_LENGTH)
        raise InvalidNameError(
            f"{kind} {name!r} is not a name that AWS takes: letters, digits and inner dashes, at most "
            f"{MAX_NAME_LENGTH} (this has {len(name)}). Try {suggestion!r}."
        )
    return name


def s3_prefix(key: ModelKey) -> str:
    """Return the S3 prefix, without a slash at its end, under which everything of this model lies."""
    return "/".join(_join([part], limit=MAX_NAME_LENGTH) for part in (key.product, key.task, key.model_id))


def role_arn(role: str, region_name: str, account_id: str) -> str:
    """Return the ARN of a role of this account that is given by its name."""
    partition = (
        "aws-cn" if region_name.startswith("cn-") else "aws-us-gov" if region_name.startswith("us-gov-") else "aws"
    )
    return f"arn:{partition}:iam::{account_id}:role/{role}"


def default_bucket(region_name: str, account_id: str) -> str:
    """Return the bucket's default name: bucket names are global, so the account stands in it."""
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
    """Return what tells a key from others whose tags read the same, as "c#" and "c*"; None when the tags say it all."""
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
