"""Methods of `Hub` whose arguments are listed in a frozen class, and that can show their requests without sending them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from mojo_toolbox.clouds.aws.requests import Request

_Keywords = ParamSpec("_Keywords")
_Options = TypeVar("_Options")
_Handle = TypeVar("_Handle")
_Sent = TypeVar("_Sent", covariant=True)  # noqa: PLC0105 - the name that errors of mypy show
_DRY_RUN = inspect.Parameter("dry_run", inspect.Parameter.KEYWORD_ONLY, default=False, annotation="bool")


class _Call(Protocol[_Keywords, _Sent]):
    """The method for a type checker: it returns a handle on the started work, or the requests of a dry run."""

    @overload
    def __call__(self, *_: _Keywords.args, **options: _Keywords.kwargs) -> _Sent: ...
    @overload
    def __call__(self, *, dry_run: Literal[True], **options: Any) -> list[Request]: ...
    @overload
    def __call__(self, *, dry_run: Literal[False], **options: Any) -> _Sent: ...
    @overload
    def __call__(self, *, dry_run: bool, **options: Any) -> _Sent | list[Request]: ...


class _Method(Protocol[_Keywords, _Sent]):
    def __get__(self, instance: object, owner: type | None = None) -> _Call[_Keywords, _Sent]: ...


def takes(
    options: Callable[_Keywords, _Options],
) -> Callable[[Callable[[Any, _Options, bool], _Handle | list[Request]]], _Method[_Keywords, _Handle]]:
    """Give a method the arguments of the class `options`, and `dry_run`. The method gets an instance of the class.

    `help()`, editors and type checkers show each argument with its default, as if the method listed them itself. The method's
    documentation repeats the class's text about its arguments.
    """
    keywords = [*inspect.signature(options).parameters.values(), _DRY_RUN]

    def decorate(
        method: Callable[[Any, _Options, bool], _Handle | list[Request]],
    ) -> _Method[_Keywords, _Handle]:
        own = inspect.signature(method)
        signature = own.replace(parameters=[own.parameters["self"], *keywords])

        @wraps(method)
        def call(self: object, *, dry_run: bool = False, **named: Any) -> _Handle | list[Request]:
            try:
                # A wrong name is said before a missing one, which it often explains.
                signature.bind_partial(self, dry_run=dry_run, **named)
                signature.bind(self, dry_run=dry_run, **named)
            except TypeError as error:
                raise TypeError(f"{method.__qualname__}() {error}") from None
            return method(self, cast("Any", options)(**named), dry_run)

        call.__signature__ = signature  # type: ignore[attr-defined]
        call.__doc__ = _with_arguments(method, options)
        return cast("_Method[_Keywords, _Handle]", call)

    return decorate


def _with_arguments(method: object, options: object) -> str:
    """Return the method's documentation with the arguments before its errors."""
    meaning, raises, errors = (inspect.getdoc(method) or "").partition("Raises:\n")
    arguments = (inspect.getdoc(options) or "").partition("Args:\n")[2]
    return f"{meaning}Args:\n{arguments}\n\n{raises}{errors}"
