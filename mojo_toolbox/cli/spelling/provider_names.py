"""How models that write conversations are spelt on the command line.

openai:MODEL                          a model of any OpenAI-compatible server
endpoint:PRODUCT/TASK/MODEL_ID/STAGE  a deployed model; /STAGE may be left out (MOJO_STAGE, else dev)
endpoint                              the model that MOJO_PRODUCT, … or mojo.toml name
local:FOLDER or local:HUB_ID          a model in this process
replay:FILE                           recorded answers; replay alone: the shipped ones
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mojo_toolbox.cli.terminal.endings import UsageError

if TYPE_CHECKING:
    from mojo_toolbox.generation.judging import Judge
    from mojo_toolbox.generation.providers import Provider

_FORMS = "openai:MODEL, endpoint:PRODUCT/TASK/MODEL_ID, local:FOLDER_OR_HUB_ID, replay:FILE, or replay alone"


@dataclass(frozen=True)
class Reached:
    """The options that say how to reach providers."""

    base_url: str | None
    timeout: float
    cloud_service: Literal["aws", "local"] | None
    region_name: str | None


def provider(name: str, reached: Reached, *, option: str = "--provider") -> Provider:
    """Return the provider of this name.

    Raises:
        UsageError: a name that is none of those above.
    """
    kind, rest = _parts(name, option)
    if kind == "replay":
        from mojo_toolbox.generation.example import EXAMPLE_ANSWERS
        from mojo_toolbox.generation.replay import ReplayProvider

        return ReplayProvider(Path(rest) if rest else EXAMPLE_ANSWERS)
    if kind == "openai":
        from mojo_toolbox.generation.openai_provider import OpenAIProvider

        return OpenAIProvider(rest, base_url=reached.base_url, timeout=reached.timeout)
    if kind == "endpoint":
        from mojo_toolbox.cli.spelling.router_names import deployed_model
        from mojo_toolbox.generation.endpoint_provider import EndpointProvider

        model, called = deployed_model(
            rest, option=option, cloud_service=reached.cloud_service, region_name=reached.region_name
        )
        return EndpointProvider(model, name=called)
    from mojo_toolbox.generation.local_provider import LocalProvider

    return LocalProvider(rest)


def require_provider_name(name: str, *, option: str = "--provider") -> None:
    """Refuse a name that is spelt like no provider, without looking for what it names.

    Raises:
        UsageError: it is none of those above.
    """
    _parts(name, option)


def _parts(name: str, option: str) -> tuple[str, str]:
    kind, colon, rest = name.partition(":")
    # These may stand alone.
    alone = kind in {"replay", "endpoint"} and not colon
    if kind not in {"openai", "endpoint", "local", "replay"} or not (rest or alone):
        raise UsageError(f"{option}: there is no provider {name!r:.100}. Providers: {_FORMS}.")
    return kind, rest


def router_judge(name: str, reached: Reached) -> Judge:
    """Return the judge that a router is, as `mojo evaluate` spells routers.

    Raises:
        UsageError: there is no such router, or it takes prompts.
    """
    from mojo_toolbox.cli.spelling.router_names import Asked, routers
    from mojo_toolbox.generation.judging import RouterJudge

    asked = Asked((), None, reached.base_url, reached.cloud_service, reached.region_name, reached.timeout)
    return RouterJudge(routers([name], asked)[0])
