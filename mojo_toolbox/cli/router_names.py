"""How routers are spelt on the command line.

tfidf                                 a baseline
endpoint:PRODUCT/TASK/MODEL_ID/STAGE  a deployed router; /STAGE may be left out (dev)
chat:PRODUCT/TASK/MODEL_ID/STAGE      a deployed model, asked in free text with each prompt
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

from mojo_toolbox.cli.endings import UsageError

if TYPE_CHECKING:
    from mojo_toolbox.model import AWSModel

_KINDS = ("endpoint", "chat", "openai", "python")
_KEY_PARTS = 3


@dataclass(frozen=True)
class Asked:
    """What the options say about how routers are reached."""

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
    if not colon or kind not in _KINDS or not rest:
        raise UsageError(
            f"--routers: there is no router {name!r}. Baselines: {', '.join(BASELINES)}; or endpoint:PRODUCT/TASK/MODEL_ID, "
            "chat:PRODUCT/TASK/MODEL_ID, openai:MODEL, python:FILE.py:FUNCTION."
        )
    if kind == "endpoint":
        from mojo_toolbox.evaluation.routers.question import EndpointRouter

        return [EndpointRouter(_model(rest, asked), name=rest)]
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
        model = EndpointChat(_model(rest, asked), name=rest)
    else:
        model = OpenAIChat(rest, base_url=asked.base_url, timeout=asked.timeout)
    return [PromptedRouter(model, prompt, structured=asked.structured) for prompt in prompts]


def _model(key: str, asked: Asked) -> AWSModel:
    return deployed_model(key, option="--routers", cloud_service=asked.cloud_service, region_name=asked.region_name)


def deployed_model(
    key: str, *, option: str, cloud_service: Literal["aws", "local"] | None, region_name: str | None
) -> AWSModel:
    """Return the model of PRODUCT/TASK/MODEL_ID or PRODUCT/TASK/MODEL_ID/STAGE.

    Raises:
        UsageError: `key`, which `option` gave, is neither.
    """
    from mojo_toolbox.model import AWSModel

    parts = key.split("/")
    if len(parts) == _KEY_PARTS:
        parts.append("dev")
    if len(parts) != _KEY_PARTS + 1 or not all(parts):
        raise UsageError(f"{option}: {key!r} is not PRODUCT/TASK/MODEL_ID or PRODUCT/TASK/MODEL_ID/STAGE.")
    product, task, model_id, stage = parts
    return AWSModel(
        product=product,
        task=task,
        model_id=model_id,
        stage=stage,
        cloud_service=cloud_service,
        region_name=region_name,
    )


def _function(place: str) -> Callable[..., Any]:
    where, colon, name = place.rpartition(":")
    if not colon or not where or not name:
        raise UsageError(f"--routers: python:{place} lacks the function, as in python:router.py:choose.")
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
