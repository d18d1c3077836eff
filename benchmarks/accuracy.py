"""Routers by files: `python benchmarks/accuracy.py`, what each gets right at every measuring point.

A thin layer over `evaluate_all()`: `mojo evaluate` does the same for one file, with a report to read. Here several files
stand in one table, and an artifact's folder can be asked without an endpoint.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from measuring import machine, table, use_threads, write_json

from mojo_toolbox.cli.spelling.router_names import Asked, routers
from mojo_toolbox.evaluation import BASELINES, Report, evaluate_all
from mojo_toolbox.model import Model, ServerReply
from mojo_toolbox.shipped import example_data_dir


class ServedHere(Model):
    """An artifact's folder, served in this process by the code that serves it in a container."""

    def __init__(self, folder: Path) -> None:
        from loading_models import load_server

        self._folder = folder
        self._server = load_server(folder)

    @property
    def name(self) -> str:
        return self._folder.name

    def _ask(self, body: bytes) -> ServerReply:
        from inference import answer

        return ServerReply(body=answer(self._server, body).encode(), request_id="")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", help="labelled conversations (examples/data/test.jsonl)")
    parser.add_argument("--routers", default=",".join(BASELINES), help="as for `mojo evaluate` (all baselines)")
    parser.add_argument(
        "--endpoint", action="append", default=[], help="PRODUCT/TASK/MODEL_ID, also of the local cloud"
    )
    parser.add_argument("--artifact", type=Path, action="append", default=[], help="folder of an unpacked model.tar.gz")
    parser.add_argument("--cloud", choices=["aws", "local"], help="where endpoints are")
    parser.add_argument("--previous", choices=["labelled", "own"], default="labelled", help="earlier decisions shown")
    parser.add_argument("--limit", type=int, help="only the first so many conversations of each file")
    parser.add_argument("--threads", type=int, help="that torch computes on (one on every core)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    names = [name for name in given.routers.split(",") if name] + [f"endpoint:{name}" for name in given.endpoint]
    asked = routers(names, Asked([], None, None, given.cloud, None, 60.0))
    asked += [ServedHere(folder) for folder in given.artifact]
    found = []
    for data in given.data or [example_data_dir() / "test.jsonl"]:
        with tempfile.TemporaryDirectory() as output:
            reports = evaluate_all(asked, data, output=output, previous=given.previous, limit=given.limit)
        found += [{"data": data.name, "router": report.router} | figures(report) for report in reports]
    return found


def figures(report: Report) -> dict[str, Any]:
    """Return the share right overall, as the mean over the measuring points that occur, and at each of them."""
    overall = report.overall
    return {
        "decisions": overall.n,
        "accuracy": overall.accuracy and overall.accuracy.value,
        "balanced": overall.balanced and overall.balanced.value,
        **{point: of.right / of.n if of.n else None for point, of in report.points.items()},
        "ece": report.confidence and report.confidence.ece,
    }


def show(found: list[dict[str, Any]]) -> None:
    header = ["router", *(name for name in found[0] if name not in {"data", "router"})]
    for data in dict.fromkeys(one["data"] for one in found):
        print(f"\n{data}:")
        print(table(header, [[one[name] for name in header] for one in found if one["data"] == data]))


def main() -> None:
    given = arguments()
    use_threads(given.threads)
    found = measure(given)
    show(found)
    write_json(given.out, {"accuracy": found, "machine": machine()})


if __name__ == "__main__":
    main()
