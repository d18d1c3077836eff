"""Error bodies of the servers that answer on SageMaker, read into a reason of one line."""

import json

import pytest

from mojo_toolbox.clouds.aws.container_errors import read_container_error


@pytest.mark.parametrize(
    ("body", "reason", "handled"),
    [
        ('{"error": "There is no adapter \'x\'."}\n', "There is no adapter 'x'.", True),
        # As multi-model-server writes it (tests/serving_container asks the real one).
        (
            '{\n  "code": 400,\n  "type": "InternalServerException",\n  "message": "CUDA out of\\nmemory"\n}\n',
            "CUDA out of memory",
            False,
        ),
        (
            '{"error": {"message": "max_tokens is too large", "type": "BadRequestError", "code": 400}}',
            "max_tokens is too large",
            True,
        ),
        ('{"object": "error", "message": "The model `x` does not exist."}', "The model `x` does not exist.", False),
        ('{"detail": "Not Found"}', "Not Found", False),
        ('{"detail": [{"loc": ["body"]}]}', '{"detail": [{"loc": ["body"]}]}', False),
        ('{"error": ""}', '{"error": ""}', True),
        ('["a",\n "b"]', '["a", "b"]', False),
        ("Traceback\n  File x", "Traceback File x", False),
        ("[" * 100_000, "[" * 100_000, False),
        ("", "", False),
    ],
)
def test_the_reason_is_found_in_each_servers_form(body, reason, handled):
    found = read_container_error(body)
    assert (found.reason, found.handled) == (reason, handled)


def test_a_long_reason_of_many_lines_becomes_one():
    found = read_container_error(json.dumps({"message": "line\n" * 1000}))
    assert found.reason == " ".join(["line"] * 1000)
