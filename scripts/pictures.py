"""The pictures of README and docs, made anew by the commands that they show.

`python scripts/pictures.py` writes to docs/pictures: the terminal after `mojo evaluate` (SVG), the report that it left, and the
review page (PNG, by Chromium).
Nothing is trained and no account is needed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
DATA = ROOT / "examples" / "data" / "test.jsonl"
MOJO = Path(sys.executable).with_name("mojo")
COLUMNS = 110
EVALUATE = ["evaluate", "examples/data/test.jsonl", "--routers", "tfidf,encoder-previous", "--output", "evaluation"]


def main() -> None:
    """Make them all."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser_page() as page:
        work = Path(folder)
        (work / "examples").symlink_to(ROOT / "examples")
        terminal(work)
        report(work, page)
        review(work, page)


def terminal(work: Path) -> None:
    """The terminal after an evaluation of two baselines."""
    printed = mojo(work, *EVALUATE, colour=True)
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(Text("$ " + " ".join(["mojo", *EVALUATE]), style="bold"))
    console.print(Text.from_ansi(printed))
    console.save_svg(str(PICTURES / "terminal.svg"), title="mojo evaluate", unique_id="mojo")


def report(work: Path, page: Page) -> None:
    """The beginning of the report that the evaluation left."""
    page.set_viewport_size({"width": 1280, "height": 780})
    page.goto((work / "evaluation" / "summary.html").as_uri())
    page.screenshot(path=PICTURES / "report.png")


def review(work: Path, page: Page) -> None:
    """The review page with a conversation to validate, as its reviewer sees it after the first visit."""
    mojo(work, "review", "import", "examples/data/test.jsonl", "--database", "review.db")
    server = subprocess.Popen(
        [MOJO, "review", "serve", "--database", "review.db", "--port", "0"],
        cwd=work, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        address = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+", line)))
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(address)
        page.wait_for_selector("main")
        page.click("#got-it")
        page.screenshot(path=PICTURES / "review.png")
    finally:
        server.terminate()
        server.wait()


def mojo(work: Path, *arguments: str, colour: bool = False) -> str:
    """Run a command as a reader would; return what it printed."""
    told = {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)} if colour else {}
    done = subprocess.run(
        [MOJO, *arguments], cwd=work, env={**os.environ, **told}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"mojo {' '.join(arguments)} failed: {done.stderr}")
    return done.stdout


@contextmanager
def browser_page() -> Iterator[Page]:
    """Open a page in the Chromium of this machine."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        sys.exit("There is no Chromium. Install it (Debian: apt install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(color_scheme="light")
        browser.close()


if __name__ == "__main__":
    main()
