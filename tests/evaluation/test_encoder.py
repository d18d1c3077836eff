"""The sentence encoder, with a tiny random BERT and, marked slow, the real one."""

import threading

import numpy as np
import pytest
from misfit_bases import drop, edit_config, edit_weights
from tiny_encoder import WORDS, save_tiny_encoder

from mojo_toolbox.errors import BaseModelNotFoundError, ConfigurationError
from mojo_toolbox.evaluation.routers import encoder as encoder_module
from mojo_toolbox.evaluation.routers.baselines import baseline
from mojo_toolbox.evaluation.routers.encoder import SentenceEncoder
from mojo_toolbox.evaluation.routers.question import Question, Record


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(save_tiny_encoder(tmp_path_factory.mktemp("encoder")))


@pytest.fixture
def encoder(folder):
    return SentenceEncoder(folder)


def texts(count):
    return [" ".join(WORDS[(i * j) % len(WORDS)] for j in range(1, 2 + i % 30)) + f" {i}" for i in range(count)]


def test_vectors_are_of_length_one(encoder):
    vectors = encoder.embed(["book a table", "", "雨"])
    assert vectors.shape == (3, 32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_vector_is_the_mean_over_real_tokens(encoder, folder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder)(
            **AutoTokenizer.from_pretrained(folder)("bus ticket", return_tensors="pt")
        )
    mean = states.last_hidden_state[0].mean(dim=0)
    expected = (mean / mean.norm()).numpy()
    # In a batch with a longer text, so that there is padding to leave out.
    assert np.allclose(encoder.embed(["bus ticket", "book a table for dinner tomorrow"])[0], expected, atol=1e-5)


@pytest.mark.parametrize("keep", [True, False])
def test_rows_stand_in_the_order_of_the_texts(encoder, keep):
    asked = [*texts(90), "book", *texts(90)[::-1]]
    together = encoder.embed(asked, keep=keep)
    one_by_one = np.concatenate([encoder.embed([text]) for text in asked[:91]])
    assert np.allclose(together[:91], one_by_one, atol=1e-5)
    assert np.array_equal(together[91:], together[:90][::-1])


def test_long_texts_are_cut_at_the_models_limit(encoder):
    long = encoder.embed(["rain " * 62 + "bus " * 1_000_000, "rain " * 62])
    assert np.allclose(long[0], long[1], atol=1e-5)


def test_what_is_kept_is_not_computed_again(encoder, monkeypatch):
    computed = []
    compute = encoder._compute
    monkeypatch.setattr(encoder, "_compute", lambda batch: computed.extend(batch) or compute(batch))
    first = encoder.embed(["bus", "rain"], keep=True)
    assert np.array_equal(encoder.embed(["rain", "bus"], keep=True), first[::-1])
    assert sorted(computed) == ["bus", "rain"]
    encoder.embed(["bus"])
    assert len(computed) == 3


def test_only_so_many_are_kept(encoder, monkeypatch):
    monkeypatch.setattr(encoder_module, "_MOST_KEPT", 5)
    for number in range(12):
        encoder.embed(["bus", f"rain {number}"], keep=True)
    assert list(encoder._kept) == ["rain 8", "rain 9", "rain 10", "bus", "rain 11"]


def test_threads_get_what_one_gets(encoder):
    asked = texts(40)
    alone = dict(zip(asked, encoder.embed(asked), strict=True))
    wrong, failed = [], []

    def work(offset):
        try:
            for i in range(40):
                some = [asked[(offset * 7 + i) % 40], asked[(offset + i * 3) % 40]]
                for text, vector in zip(some, encoder.embed(some, keep=i % 2 == 0), strict=True):
                    if not np.allclose(vector, alone[text], atol=1e-5):
                        wrong.append(text)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, failed) == ([], [])


def test_loading_prints_nothing(folder, capfd):
    SentenceEncoder(folder)
    assert capfd.readouterr() == ("", "")


def test_an_encoder_that_lacks_weights_is_refused_but_it_needs_no_pooling_layer(tmp_path):
    base = save_tiny_encoder(tmp_path)
    SentenceEncoder(str(edit_weights(base, lambda weights: drop(weights, "pooler"))))
    with pytest.raises(ConfigurationError, match=r"it lacks encoder\.layer\.2"):
        SentenceEncoder(str(edit_config(base, num_hidden_layers=3)))


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(BaseModelNotFoundError, match=r"config\.json"):
        SentenceEncoder(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="cannot be used as a sentence encoder") as caught:
        SentenceEncoder(str(tmp_path))
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ as baselines

TASKS = [
    ("book_table", "book a table for dinner"),
    ("weather", "weather forecast"),
    ("bus", ""),
]


def ask(router, text, previous=None, tasks=TASKS):
    listed = [Record(name=name, description=description) for name, description in tasks]
    return router.ask(Question([Record(role="user", content=text)], listed, previous)).task


@pytest.mark.parametrize("name", ["encoder", "encoder-previous"])
def test_the_nearest_description_is_chosen(folder, name):
    router = baseline(name, encoder=folder)
    assert router.name == name
    assert ask(router, "book table: book a table for dinner") == "book_table"
    assert ask(router, "weather: weather forecast") == "weather"
    assert ask(router, "bus", previous="weather") == "bus"


@pytest.mark.parametrize("name", ["encoder", "encoder-previous"])
def test_the_lists_order_does_not_matter(folder, name):
    router = baseline(name, encoder=folder)
    twins = [("b", "rain"), ("a", "rain"), *TASKS]
    said = [ask(router, text, "bus", order) for text in WORDS for order in (twins, twins[::-1])]
    assert said[::2] == said[1::2]


def test_two_baselines_share_an_encoder(folder):
    assert baseline("encoder", encoder=folder)._encoder is baseline("encoder-previous", encoder=folder)._encoder


@pytest.fixture(scope="module")
def minilm():
    """The real one, from the hub, its cache, or PyPI."""
    try:
        SentenceEncoder()
    except BaseModelNotFoundError as error:
        pytest.skip(f"all-MiniLM-L6-v2 cannot be had here: {error}")


@pytest.mark.slow
def test_the_real_encoder_knows_what_words_mean(minilm):
    tasks = [
        ("buses_find_bus", "Find a bus journey between two cities"),
        ("weather_get_weather", "Get the weather of a place on a day"),
        ("restaurants_reserve", "Reserve a table at a restaurant"),
    ]
    plain, previous = baseline("encoder"), baseline("encoder-previous")
    for router in (plain, previous):
        assert ask(router, "Do I need an umbrella in Fresno tomorrow?", tasks=tasks) == "weather_get_weather"
        assert ask(router, "What is the capital of Peru?", tasks=tasks) is None
    assert ask(previous, "The one at nine.", "buses_find_bus", tasks) == "buses_find_bus"
    assert (
        ask(previous, "Can you get us a table for two at the Italian place?", "buses_find_bus", tasks)
        == "restaurants_reserve"
    )
    assert ask(previous, "No thanks, that's all. Bye!", "restaurants_reserve", tasks) is None
    assert ask(plain, "The one at nine.", "buses_find_bus", tasks) != "buses_find_bus"
