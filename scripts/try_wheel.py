"""Use an installed wheel as a programmer would, with the base install only: try_wheel.py CHECKOUT."""

import importlib.metadata
import importlib.util
import sys
from pathlib import Path


def main(checkout: Path) -> None:
    """Import both doors, find what travels with the library, and build a request."""
    import mojo_toolbox
    from mojo_toolbox import AWSModel, Hub
    from mojo_toolbox.shipped import example_data_dir, inference_code_dir, served_code, training_scripts_dir

    assert not Path(mojo_toolbox.__file__).resolve().is_relative_to(checkout), (
        "the checkout was imported, not the wheel"
    )
    assert mojo_toolbox.__version__ == importlib.metadata.version("mojo-toolbox")
    assert Path(mojo_toolbox.__file__).with_name("py.typed").is_file()
    assert importlib.util.find_spec("torch") is None, "the base install brings torch"
    assert AWSModel(product="mojodex", task="routing", model_id="router", stage="dev", cloud_service="local")
    assert Hub(cloud_service="local")
    package, evaluation, review = Path(mojo_toolbox.__file__).parent, Path("evaluation"), Path("review")
    for shipped, original in (
        *(
            (package / folder, checkout / "mojo_toolbox" / folder)
            for folder in (
                evaluation / "routers" / "prompts",
                evaluation / "pages" / "templates",
                review / "pages",
                review / "static",
            )
        ),
        (training_scripts_dir(), checkout / "training_scripts"),
        (inference_code_dir(), checkout / "inference_code"),
        (example_data_dir(), checkout / "examples" / "data"),
    ):
        files = (path for path in original.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        expected = {path.relative_to(original) for path in files}
        assert expected, f"{original} is empty"
        for name in expected:
            assert (shipped / name).read_bytes() == (original / name).read_bytes(), f"{name} differs"
    assert all(any(folder.glob("*.py")) for folder in served_code().values()), "code that serves is missing"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
