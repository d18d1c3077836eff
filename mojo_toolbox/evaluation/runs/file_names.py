"""Names of the files that an evaluation writes."""

from __future__ import annotations

PREDICTIONS_FILE, SHUFFLES_FILE = "predictions.jsonl", "shuffles.jsonl"
REPORT_FILE = "report.json"
REPORT_FILES = (REPORT_FILE, "report.html", "report.md")
# Where one run asks several routers: each has a folder with a report, and this file sets them side by side.
SUMMARY_FILE = "summary.json"
