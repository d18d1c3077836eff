"""How routers are spelt on the command line.

tfidf                                 a baseline
endpoint:PRODUCT/TASK/MODEL_ID/STAGE  a deployed router; /STAGE may be left out (MOJO_STAGE, else dev)
endpoint                              the router that MOJO_PRODUCT, … or mojo.toml name
chat:PRODUCT/TASK/MODEL_ID/STAGE      a deployed model, asked in free text with each prompt; chat alone as above
openai:MODEL                          a model of any OpenAI-compatible server, with each prompt
python:FILE.py:FUNCTION               a function (messages, tasks, previous) -> name or None; also python:MODULE:FUNCTION
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mojo_toolbox.cli.terminal.endings import UsageError
from mojo_toolbox.cli.terminal.options import require_model

if TYPE_CHECKING:
    from mojo_toolbox.model import AWSModel

_KINDS = ("endpoint", "chat", "openai", "python")
# These may stand alone: settings name their model then.
_OF_THE_PROJECT = ("endpoint", "chat")
_KEY_PARTS = 3
_DEFAULT_STAGE = "dev"


@dataclass(frozen=True)
class Asked:
    """The options that say how to reach routers."""

    prompts: Sequence[str]
    structured: Literal["choice", "json_schema"] | None
    base_url: str | None
    cloud_service: Literal["aws", "local"] | None
    region_name: str | None
    timeout: float


def routers(names: Sequence[str], asked: Asked) -> list[Any]:
    """Return the routers that are named, chat models once for each prompt.

    Raises:
        UsageError: a name that is none of those above, or a chat model without a prompt.
    """
    found: list[Any] = []
    for name in names:
        found += _routers(name, asked)
    return found


def _routers(name: str, asked: Asked) -> list[Any]:
    from mojo_toolbox.evaluation.routers.baselines import BASELINES, baseline

    if name in BASELINES:
        return [baseline(name)]
    kind, colon, rest = name.partition(":")
    if kind not in _KINDS or (bool(colon) != bool(rest)) or not (rest or kind in _OF_THE_PROJECT):
        raise UsageError(
            f"--routers: there is no router {name!r}. Baselines: {', '.join(BASELINES)}. Others: endpoint:PRODUCT/TASK/MODEL_ID, "
            "chat:PRODUCT/TASK/MODEL_ID, openai:MODEL, python:FILE.py:FUNCTION."
        )
    if kind == "endpoint":
        from mojo_toolbox.evaluation.routers.question import EndpointRouter

        model, called = _model(rest, asked)
        return [EndpointRouter(model, name=called)]
    if kind == "python":
        from mojo_toolbox.evaluation.routers.question import FunctionRouter

        return [FunctionRouter(_function(rest))]
    return _prompted(kind, rest, asked)


def _prompted(kind: str, rest: str, asked: Asked) -> list[Any]:
    from mojo_toolbox.evaluation.routers.chat_models import EndpointChat, OpenAIChat
    from mojo_toolbox.evaluation.routers.prompted import PromptedRouter, load_prompt

    if not asked.prompts:
        raise UsageError(
            f"{kind}:{rest} is a chat model: name its prompts, such as --prompts zero-shot,few-shot,react."
        )
    prompts = [load_prompt(prompt) for prompt in asked.prompts]
    model: Any
    if kind == "chat":
        deployed, called = _model(rest, asked)
        model = EndpointChat(deployed, name=called)
    else:
        model = OpenAIChat(rest, base_url=asked.base_url, timeout=asked.timeout)
    return [PromptedRouter(model, prompt, structured=asked.structured) for prompt in prompts]


def _model(key: str, asked: Asked) -> tuple[AWSModel, str]:
    return deployed_model(key, option="--routers", cloud_service=asked.cloud_service, region_name=asked.region_name)


def deployed_model(
    key: str, *, option: str, cloud_service: Literal["aws", "local"] | None, region_name: str | None
) -> tuple[AWSModel, str]:
    """Return the model of PRODUCT/TASK/MODEL_ID or PRODUCT/TASK/MODEL_ID/STAGE, and the key that reports call it by.

    Without a key it is the model that the environment or the project file names.

    Raises:
        UsageError: `key`, which `option` gave, is neither, or there is none and nothing names a model.
    """
    from mojo_toolbox.model import AWSModel
    from mojo_toolbox.settings import load_settings

    parts = key.split("/") if key else list(require_model(product=None, task=None, model_id=None).values())
    stage = load_settings().stage
    if len(parts) == _KEY_PARTS and stage != _DEFAULT_STAGE:
        parts.append(stage)
    called = "/".join(parts)
    if len(parts) == _KEY_PARTS:
        parts.append(_DEFAULT_STAGE)
    if len(parts) != _KEY_PARTS + 1 or not all(parts):
        raise UsageError(f"{option}: {key!r} is not PRODUCT/TASK/MODEL_ID or PRODUCT/TASK/MODEL_ID/STAGE.")
    names = dict(zip(("product", "task", "model_id", "stage"), parts, strict=True))
    return AWSModel(**names, cloud_service=cloud_service, region_name=region_name), called


def _function(place: str) -> Callable[..., Any]:
    where, colon, name = place.rpartition(":")
    if not colon or not where or not name:
        raise UsageError(f"--routers: python:{place} does not name a function. Write it as in python:router.py:choose.")
    try:
        module = _module_of_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"--routers: {where} cannot be imported: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise UsageError(f"--routers: {where} has no function {name!r}.")
    return function  # type: ignore[no-any-return]


def _module_of_file(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"--routers: there is no file {path}.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
