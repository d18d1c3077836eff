"""Which operation a request asks for. A query parameter that the operation does not know is refused, never ignored."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.wire.http import HttpAnswer

# Sub-resources of S3 that the local cloud does not have.
_NOT_OFFERED = frozenset(
    [
        "abac",
        "annotation",
        "encryption",
        "legal-hold",
        "metadataAnnotationTable",
        "metadataConfiguration",
        "metadataInventoryTable",
        "metadataJournalTable",
        "metadataTable",
        "renameObject",
        "restore",
        "retention",
        "select",
        "session",
        "torrent",
    ]
)
# The signature's own parameters. Version 2 moves these headers of a presigned request into the query too.
_OF_SIGNATURES = frozenset(["AWSAccessKeyId", "Expires", "Signature", "content-md5", "content-type", "date"])

Operation = Callable[[Call], HttpAnswer]


@dataclass(frozen=True)
class Route:
    """One operation of S3's: its method, and the sub-resource that names it ("" is the plain path)."""

    name: str
    method: str
    subresource: str
    operation: Operation | None
    """None where the body is an object or a part: it is taken in while it comes."""
    parameters: Collection[str] = ()
    """The query's other parameters."""
    only_with: str = ""
    """The header or parameter that tells it from the operation that follows it."""

    def fits(self, call: Call) -> bool:
        """Whether a request of this method and sub-resource is this operation."""
        given = call.headers if self.only_with.startswith("x-amz-") else call.query
        return not self.only_with or self.only_with in given


class Routes:
    """The operations on one kind of path: the service, a bucket or an object."""

    def __init__(self, *routes: Route) -> None:
        self.routes = routes
        self._subresources = {route.subresource for route in routes} - {""}

    def find(self, call: Call) -> Route:
        """Return the operation that a request asks for.

        Raises:
            ObjectStoreError: there is no such operation, or the request has a parameter that it does not know.
        """
        # S3 itself ignores names that begin with x-, which clients use for themselves.
        given = {name for name in call.query if not name.lower().startswith("x-")} - _OF_SIGNATURES
        of_method = [route for route in self.routes if route.method == call.method and route.fits(call)]
        route = next((one for one in of_method if one.subresource in given), None)
        route = route or next((one for one in of_method if not one.subresource), None)
        unknown = given - {route.subresource, *route.parameters} if route else given
        if route is None or unknown:
            raise self._refusal(call, unknown, route)
        return route

    def _refusal(self, call: Call, unknown: Collection[str], route: Route | None) -> ObjectStoreError:
        if names := sorted(_NOT_OFFERED.intersection(unknown) - self._subresources):
            return ObjectStoreError("NotImplemented", f"The local cloud does not implement ?{names[0]}.", 501)
        known = sorted(self._subresources.intersection(unknown))
        if route is not None and route.subresource and known:
            both = ", ".join(sorted([route.subresource, *known]))
            return ObjectStoreError("InvalidArgument", f"Conflicting query string parameters: {both}")
        if route is not None and not known:
            name = f"{call.method} ?{route.subresource}" if route.subresource else f"This {call.method} request"
            return ObjectStoreError("InvalidArgument", f"{name} does not take the query parameter {min(unknown)!r}.")
        return ObjectStoreError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
