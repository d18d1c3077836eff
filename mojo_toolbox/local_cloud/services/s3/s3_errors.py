"""S3's refusals, in its own codes and words."""

from __future__ import annotations

from mojo_toolbox.local_cloud.wire.protocol import ServiceError


class ObjectStoreError(ServiceError):
    """The store refuses: `code` is S3's."""


def no_such_bucket(bucket: str) -> ObjectStoreError:
    """The bucket is not there."""
    return ObjectStoreError("NoSuchBucket", f"The specified bucket does not exist: {bucket}", 404)


def no_such_key(key: str) -> ObjectStoreError:
    """The object is not there."""
    return ObjectStoreError("NoSuchKey", f"The specified key does not exist: {key}", 404)


def no_such_upload() -> ObjectStoreError:
    """The multipart upload is not there."""
    return ObjectStoreError(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
        404,
    )


def precondition_failed(condition: str) -> ObjectStoreError:
    """A condition that the request set does not hold."""
    return ObjectStoreError(
        "PreconditionFailed", f"At least one of the pre-conditions you specified did not hold: {condition}", 412
    )
