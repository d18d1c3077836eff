"""The manifest of the serving container's own server, which both sides of the contract write."""

from mojo_toolbox.serving import own_handler


def test_both_sides_give_an_artifact_the_same_manifest_for_the_server(shipped):
    of_a_job = shipped("saving.manifest")
    assert of_a_job.SERVER_MANIFEST == own_handler.SERVER_MANIFEST
    assert of_a_job.SERVER_MANIFEST_CONTENT == own_handler.SERVER_MANIFEST_CONTENT
