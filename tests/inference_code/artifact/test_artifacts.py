"""What an artifact may hold, and which of it answers."""

import json
from types import SimpleNamespace

import pytest
import torch
from tiny_base import save_tiny_base
from tiny_model import save_adapter, write_manifest

from artifact.manifest import UnservableArtifactError
from artifact.number_format import serving_dtype
from chat.request import InvalidRequestError

# peft 0.21.2 still reads an attribute that transformers 5.23 deprecates; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
CHOICES = {"choice": ["meeting_recap", "follow_up_email", "none", "会議"]}


@pytest.fixture(autouse=True)
def _full_precision(full_precision):
    pass


@pytest.fixture(scope="module")
def adapters(tmp_path_factory, base_folder):
    """Two adapters of the base, in an artifact that keeps them apart."""
    folder = tmp_path_factory.mktemp("several")
    save_adapter(folder / "adapters" / "sales", base_folder, seed=1)
    save_adapter(folder / "adapters" / "support", base_folder, seed=2)
    write_manifest(folder, base_model={"id": str(base_folder), "revision": None})
    return folder


def ask(server, context=None, **body):
    import inference

    body.setdefault("messages", [{"role": "user", "content": "help me with my meeting"}])
    return json.loads(inference.answer(server, json.dumps(body | {"structured_outputs": CHOICES}), context))


def weigh(server, context=None, **body):
    return list(ask(server, context, **body)["choices"][0]["choice_probabilities"].values())


def load(folder):
    import inference

    return inference.model_fn(str(folder))


def one_adapter(tmp_path, adapters, base_folder, name):
    folder = tmp_path / name
    folder.mkdir()
    for source in (adapters / "adapters" / name).iterdir():
        (folder / source.name).write_bytes(source.read_bytes())
    write_manifest(folder, base_model={"id": str(base_folder)}, training={"job_name": f"job-{name}"})
    return folder


def test_one_adapter_is_merged_and_answers_as_it_does_unmerged(tmp_path, adapters, base_folder):
    several, plain = load(adapters), load(base_folder)
    for name in ("sales", "support"):
        merged = load(one_adapter(tmp_path, adapters, base_folder, name))
        assert merged._model.adapters == ()
        assert weigh(merged) == pytest.approx(weigh(several, model=name), abs=1e-4)
        assert weigh(merged) != pytest.approx(weigh(plain), abs=1e-2)
        assert weigh(merged, model=f"job-{name}") == pytest.approx(weigh(merged), abs=1e-4)


def test_each_request_chooses_its_adapter_and_their_cached_prefixes_stay_apart(adapters):
    server = load(adapters)
    first = {name: weigh(server, model=name) for name in ("sales", "support")}
    assert first["sales"] != pytest.approx(first["support"], abs=1e-2)
    for name in ("support", "sales", "sales", "support"):
        assert weigh(server, model=name) == pytest.approx(first[name], abs=1e-4)


class MultiModelServerContext:
    """The context that SageMaker's multi-model server gives to handlers."""

    def __init__(self, headers):
        self.request_processor = [SimpleNamespace(get_request_properties=lambda: headers)]


class PlainContext:
    def __init__(self, headers):
        self.headers = headers

    def get_request_header(self, index, name):
        assert index == 0
        return self.headers.get(name)


@pytest.mark.parametrize("context", [MultiModelServerContext, PlainContext])
def test_sagemakers_header_chooses_the_adapter(adapters, context):
    server = load(adapters)
    headers = {"X-Amzn-SageMaker-Adapter-Identifier": "support", "Content-Type": "application/json"}
    assert weigh(server, context(headers)) == pytest.approx(weigh(server, model="support"), abs=1e-4)
    assert weigh(server, context({}), model="sales") == pytest.approx(weigh(server, model="sales"), abs=1e-4)


def test_the_header_is_found_in_any_case(adapters):
    server = load(adapters)
    context = MultiModelServerContext({"x-amzn-sagemaker-adapter-identifier": "support"})
    assert ask(server, context)["model"] == "support"


def test_an_unknown_adapter_is_refused_with_the_known_ones(adapters, base_folder):
    for folder, known in ((adapters, "'sales', 'support'"), (base_folder, str(base_folder))):
        server = load(folder)
        for context, body in ((None, {"model": "suport"}), (PlainContext({"X-Amzn-SageMaker-Adapter-Identifier": "suport"}), {})):  # fmt: skip
            with pytest.raises(InvalidRequestError, match="no adapter 'suport'") as caught:
                ask(server, context, **body)
            assert caught.value.status_code == 400
            assert known in str(caught.value)


def test_several_adapters_without_a_name_are_refused_but_the_base_can_be_named(adapters, base_folder):
    server = load(adapters)
    with pytest.raises(InvalidRequestError, match="several adapters") as caught:
        ask(server)
    assert caught.value.status_code == 400
    assert weigh(server, model=str(base_folder)) == pytest.approx(weigh(load(base_folder)), abs=1e-4)


def test_merged_weights_need_no_base_model(tmp_path, monkeypatch):
    save_tiny_base(tmp_path / "merged", seed=3)
    write_manifest(tmp_path, base_model={"id": "nowhere/at-all"}, merged=True)
    monkeypatch.setenv("MOJO_BASE_MODEL", "nowhere/at-all")
    assert sum(weigh(load(tmp_path))) == pytest.approx(1)


def test_the_environment_names_the_base_model_before_the_manifest(tmp_path, adapters, base_folder, monkeypatch):
    folder = one_adapter(tmp_path, adapters, base_folder, "sales")
    expected = weigh(load(folder))
    write_manifest(folder, base_model={"id": "nowhere/at-all"})
    monkeypatch.setenv("MOJO_BASE_MODEL", str(base_folder))
    monkeypatch.setenv("MOJO_BASE_MODEL_REVISION", "")
    assert weigh(load(folder)) == pytest.approx(expected, abs=1e-4)


def test_the_artifacts_tokenizer_comes_before_the_base_models(tmp_path, adapters, base_folder, tokenizer, monkeypatch):
    folder = one_adapter(tmp_path, adapters, base_folder, "sales")
    tokenizer.save_pretrained(folder)
    bare = save_tiny_base(tmp_path / "bare")
    for path in bare.glob("*token*"):
        path.unlink()
    monkeypatch.setenv("MOJO_BASE_MODEL", str(bare))
    assert sum(weigh(load(folder))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ('{"contract_version": 2}', "contract version 2; this server knows 1"),
        ("{}", "contract version None"),
        ("[]", "contract version None"),
        ("{", "manifest.json is not JSON"),
        ('{"contract_version": 1}', "names no base model"),
    ],
)
def test_an_artifact_that_cannot_be_served_says_why(tmp_path, manifest, words):
    (tmp_path / "manifest.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(UnservableArtifactError) as caught:
        load(tmp_path)
    assert words in str(caught.value)


def test_the_dtype_can_be_set_and_is_16_bits_where_these_are_fast(base_folder, monkeypatch):
    cpu = torch.device("cpu")
    for given, dtype in (("bf16", torch.bfloat16), ("float16", torch.float16), (" FP32 ", torch.float32)):
        monkeypatch.setenv("MOJO_DTYPE", given)
        assert serving_dtype(cpu) == dtype
    for given in ("", "auto"):
        monkeypatch.setenv("MOJO_DTYPE", given)
        assert serving_dtype(cpu) in (torch.bfloat16, torch.float32)
    monkeypatch.setenv("MOJO_DTYPE", "int4")
    with pytest.raises(ValueError, match="MOJO_DTYPE is 'int4'"):
        load(base_folder)


def test_a_model_in_16_bits_keeps_its_cache_and_tree_mask(base_folder, monkeypatch):
    monkeypatch.setenv("MOJO_DTYPE", "bfloat16")
    server = load(base_folder)
    assert (server._model.dtype, server._model.has_cache, server._model.has_tree_mask) == (torch.bfloat16, True, True)
    assert sum(weigh(server)) == pytest.approx(1)


def test_the_prefix_caches_size_comes_from_the_environment(base_folder, monkeypatch):
    monkeypatch.setenv("MOJO_PREFIX_CACHE_BYTES", "0")
    server = load(base_folder)
    for _ in range(2):
        assert ask(server)["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    monkeypatch.setenv("MOJO_PREFIX_CACHE_BYTES", "512MB")
    with pytest.raises(ValueError, match="MOJO_PREFIX_CACHE_BYTES is '512MB'"):
        load(base_folder)


def test_a_base_without_a_chat_template_speaks_chatml(tmp_path, tokenizer):
    save_tiny_base(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    server = load(tmp_path)
    assert "<|im_start|>" in server._tokenizer.chat_template
    assert sum(weigh(server)) == pytest.approx(1)
