"""Every exception of the toolbox.

Each message names the problem, the thing and the remedy. The facts are attributes too::

    MojoError
     ├── ConfigurationError             a setting, an argument or an extra that is missing or contradicts another
     │    └── MissingExtraError         a package is not installed             (.package, .extra)
     ├── InvalidNameError               a name that AWS or the prompt cannot carry
     ├── DataError                      conversations that cannot be read        (.path, .line)
     ├── HyperparameterError            unknown name or value out of range
     ├── BaseModelNotFoundError         neither a folder, nor on the hub, nor at hand
     ├── ArtifactError                  a model.tar.gz or manifest this library cannot use
     ├── LocalCloudError                the local cloud does not start, stop or answer
     │    └── PortInUseError
     ├── AWSError                       AWS (or the local cloud) refused a call   (.code, .operation, .request_id)
     │    ├── NotFoundError             the job, model, endpoint, bucket or object is not there
     │    ├── AlreadyExistsError        a name that is taken
     │    ├── AccessDeniedError         credentials missing, wrong or without the permission
     │    ├── QuotaError                the account's limit for this instance type is used up
     │    └── CapacityError             AWS has no such instance free: another type may be
     ├── TrainingJobFailedError         (.job_name, .reason)
     ├── EndpointFailedError            (.endpoint_name, .reason)
     ├── EvaluationError                a router or a run that cannot be measured
     ├── ReportError                    a report that cannot be read or compared
     ├── ReviewError                    an action on conversations under review that cannot be done
     │    ├── ReviewConflictError       decided, changed or given to somebody else meanwhile
     │    └── ReviewDatabaseError       the review's database cannot be read, written or understood
     ├── GenerationError                a set of conversations that cannot be written on
     │    └── ProviderUnavailableError  no answer now, perhaps later               (.retry_after, .rate_limited)
     ├── WaitTimeoutError               still going on when the wait ended
     └── PredictionError                asking an endpoint failed                (.endpoint_name, .request_id)
          ├── EndpointNotFoundError     (.known: endpoints that exist)
          ├── EndpointNotReadyError     (.status, .reason)
          ├── ModelError                the container answered an error          (.status, .container_message)
          ├── PredictionTimeoutError
          ├── InvalidAnswerError        an answer outside the choices, never passed on  (.answer, .choices)
          ├── PredictionDeniedError     an AccessDeniedError too
          ├── PredictionRefusedError    an AWSError too
          ├── PredictionSettingsError   a ConfigurationError too
          └── PredictionCloudError      a LocalCloudError too
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class MojoError(Exception):
    """Base of every error that the toolbox raises on purpose."""


class ConfigurationError(MojoError):
    """A setting, an argument or an optional dependency is missing, or contradicts another."""


class MissingExtraError(ConfigurationError):
    """A package that this work needs is not installed: `package` is its import name, `extra` brings it."""

    def __init__(self, message: str, *, package: str, extra: str) -> None:
        super().__init__(message)
        self.package = package
        self.extra = extra


class InvalidNameError(MojoError, ValueError):
    """A name that AWS or the routing prompt cannot carry."""


class DataError(MojoError, ValueError):
    """Conversations that cannot be used. If they come from a file, `path` and `line` (from 1) name the place."""

    def __init__(self, message: str, *, path: Path | str | None = None, line: int | None = None) -> None:
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(where + message)
        self.path = path
        self.line = line


class HyperparameterError(MojoError, ValueError):
    """An unknown hyperparameter, or a value that the training script cannot use."""


class BaseModelNotFoundError(MojoError):
    """The base model is neither a folder, nor in the cache, nor on a hub that answers."""


class ArtifactError(MojoError):
    """A model artifact or its manifest cannot be used by this version of the library."""


class LocalCloudError(MojoError):
    """The local cloud does not start, stop or answer."""


class PortInUseError(LocalCloudError):
    """Another program listens on the port of the local cloud."""

    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} is in use by another program. Choose another: mojo local up --port N")
        self.port = port


class AWSError(MojoError):
    """AWS (or the local cloud) refused a call. `code`, `operation` and `request_id` come from its answer."""

    def __init__(self, message: str, *, code: str = "", operation: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.operation = operation
        self.request_id = request_id


class NotFoundError(AWSError):
    """The job, model, endpoint, bucket or object is not there."""


class AlreadyExistsError(AWSError):
    """The name is taken."""


class AccessDeniedError(AWSError):
    """Credentials are missing or wrong, or lack the permission."""


class QuotaError(AWSError):
    """The account's quota for this instance type is used up."""


class CapacityError(AWSError):
    """AWS has no such instance free at the moment. Another instance type may be free."""


class TrainingJobFailedError(MojoError):
    """A training job ended without a model."""

    def __init__(self, message: str, *, job_name: str, reason: str) -> None:
        super().__init__(message)
        self.job_name = job_name
        self.reason = reason


class EndpointFailedError(MojoError):
    """An endpoint could not be created or updated."""

    def __init__(self, message: str, *, endpoint_name: str, reason: str) -> None:
        super().__init__(message)
        self.endpoint_name = endpoint_name
        self.reason = reason


class EvaluationError(MojoError):
    """A router that cannot be asked, or a folder that holds another run. Earlier answers are kept."""


class ReportError(MojoError, ValueError):
    """A file that is not a report, or a report of another version or of other conversations."""


class ReviewError(MojoError):
    """An action on conversations under review that cannot be done. Nothing of it was stored."""


class ReviewConflictError(ReviewError):
    """The conversation was decided, changed or given to somebody else meanwhile, such as from another tab."""


class ReviewDatabaseError(ReviewError):
    """The review's database cannot be reached, written or understood. Everything stored before is still there."""


class GenerationError(MojoError):
    """A set of conversations that cannot be continued. The written ones are kept, and a new start asks for the rest."""


class ProviderUnavailableError(GenerationError):
    """The provider of conversations gave no answer now, but may give one later.

    `retry_after` is the wait in seconds that it asked for, if any. `rate_limited` means that it only wants fewer requests.
    `maybe_paid` means that it may have written an answer, which was lost on its way.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        rate_limited: bool = False,
        maybe_paid: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.rate_limited = rate_limited
        self.maybe_paid = maybe_paid


class WaitTimeoutError(MojoError, TimeoutError):
    """The wait ended before the work did. The work goes on."""


class PredictionError(MojoError):
    """Asking an endpoint failed. `request_id` is AWS's own: give it to AWS's support."""

    def __init__(self, message: str, *, endpoint_name: str, request_id: str = "") -> None:
        super().__init__(message)
        self.endpoint_name = endpoint_name
        self.request_id = request_id


class EndpointNotFoundError(PredictionError):
    """No endpoint of that product, task, model_id and stage exists in this region. `known` lists some that do."""

    def __init__(
        self, message: str, *, endpoint_name: str, request_id: str = "", known: Sequence[str] | None = None
    ) -> None:
        super().__init__(message, endpoint_name=endpoint_name, request_id=request_id)
        self.known = None if known is None else tuple(known)


class EndpointNotReadyError(PredictionError):
    """The endpoint exists but does not answer: it is being created, updated or deleted, or it failed.

    `status` is SageMaker's word for it, and `reason` says why it failed. Both are empty if the caller may not see them.
    """

    def __init__(
        self, message: str, *, endpoint_name: str, request_id: str = "", status: str = "", reason: str = ""
    ) -> None:
        super().__init__(message, endpoint_name=endpoint_name, request_id=request_id)
        self.status = status
        self.reason = reason

    @property
    def is_out_of_service(self) -> bool:
        """Whether AWS itself says that the endpoint serves nobody now: asking again at once is of no use."""
        return self.status not in {"", "InService", "Updating"}

    @property
    def is_final(self) -> bool:
        """Whether waiting is of no use either."""
        return self.status in {"Failed", "Deleting"}


class ModelError(PredictionError):
    """The container answered an error: `status` is its HTTP status, `container_message` its reason in one line.

    `handled` says that the model's own handler wrote the answer. Then a `status` of 4xx means that the request is at fault,
    and 5xx the model. Otherwise another part of the container failed, and `status` says little: the Hugging Face container
    answers every exception of a handler with 400.
    """

    def __init__(
        self,
        message: str,
        *,
        endpoint_name: str,
        request_id: str = "",
        status: int = 0,
        container_message: str = "",
        handled: bool = False,
    ) -> None:
        super().__init__(message, endpoint_name=endpoint_name, request_id=request_id)
        self.status = status
        self.container_message = container_message
        self.handled = handled


class PredictionTimeoutError(PredictionError, TimeoutError):
    """No answer in time."""


class InvalidAnswerError(PredictionError):
    """The model's answer is not one of the choices. It is never passed on as a task."""

    def __init__(
        self, message: str, *, endpoint_name: str, request_id: str = "", answer: str = "", choices: Sequence[str] = ()
    ) -> None:
        super().__init__(message, endpoint_name=endpoint_name, request_id=request_id)
        self.answer = answer
        self.choices = tuple(choices)


class PredictionRefusedError(PredictionError, AWSError):
    """AWS refused the question, or it could not be sent: too many requests, a fault of AWS, and the like."""

    def __init__(
        self, message: str, *, endpoint_name: str, request_id: str = "", code: str = "", operation: str = ""
    ) -> None:
        AWSError.__init__(self, message, code=code, operation=operation, request_id=request_id)
        self.endpoint_name = endpoint_name


class PredictionDeniedError(PredictionRefusedError, AccessDeniedError):
    """AWS did not accept the caller: credentials are missing, wrong or expired, or lack the permission."""


class PredictionSettingsError(PredictionError, ConfigurationError):
    """The question cannot be sent as things are set: no region, no such profile, a bad address, a missing extra."""


class PredictionCloudError(PredictionError, LocalCloudError):
    """The local cloud should answer, but does not start or does not run."""


def as_prediction_error(error: MojoError, *, endpoint_name: str) -> PredictionError:
    """Return the error as a PredictionError that is also of the error's own kind."""
    if isinstance(error, AWSError):
        kind = PredictionDeniedError if isinstance(error, AccessDeniedError) else PredictionRefusedError
        facts = {"code": error.code, "operation": error.operation, "request_id": error.request_id}
        return kind(str(error), endpoint_name=endpoint_name, **facts)
    if isinstance(error, ConfigurationError):
        return PredictionSettingsError(str(error), endpoint_name=endpoint_name)
    if isinstance(error, LocalCloudError):
        return PredictionCloudError(str(error), endpoint_name=endpoint_name)
    return PredictionError(str(error), endpoint_name=endpoint_name)
