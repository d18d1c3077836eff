"""Programs that the local cloud runs: jobs and endpoints, and the parts of this machine that they see."""

from pathlib import Path

# Run by its file name, in the environment of the endpoint that it serves.
SERVING_HOST = Path(__file__).with_name("serving_host.py")
