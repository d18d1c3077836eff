"""The starter's variables that the local cloud keeps, and those that its jobs and endpoints see."""

from __future__ import annotations

import os
import site
from pathlib import Path

# The variables of the user's environment that a job sees. Everything else, credentials above all, stays outside.
PASSED_ON = frozenset(
    """HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TERM XDG_CACHE_HOME
    HF_HOME HF_HUB_CACHE HF_XET_CACHE HF_HUB_OFFLINE HF_ENDPOINT HF_HUB_ETAG_TIMEOUT HF_HUB_DOWNLOAD_TIMEOUT
    HF_DATASETS_CACHE TRANSFORMERS_OFFLINE TORCH_HOME
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS CUDA_VISIBLE_DEVICES CUDA_HOME LD_LIBRARY_PATH
    DYLD_LIBRARY_PATH
    PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_TRUSTED_HOST PIP_CERT PIP_CLIENT_CERT PIP_PROXY
    PIP_CACHE_DIR PIP_NO_CACHE_DIR PIP_CONFIG_FILE PIP_CONSTRAINT PIP_DEFAULT_TIMEOUT PIP_RETRIES
    UV_INDEX_URL UV_DEFAULT_INDEX""".split()  # noqa: SIM905 - a list literal would be a page
)
PASSED_ON_PREFIXES = ("LC_", "PYTORCH_", "CUDA_", "NVIDIA_")
# The server itself also needs these: Python finds it by them.
_FOR_THE_SERVER = frozenset(
    ("PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS")
)
# Says that a process was started with nothing but this.
_MARK = "MOJO_LOCAL_CLOUD_SERVER"


def user_environment() -> dict[str, str]:
    """Return the part of the user's environment that jobs and endpoints may see."""
    kept = {
        name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }
    # A pip.conf may say `user = true`, and that would be the user's own packages.
    return {**kept, "PATH": os.environ.get("PATH", os.defpath), "PIP_USER": "0"}


def server_environment() -> dict[str, str]:
    """Return the environment to serve in, without the starter's tokens and keys: a job can read it in /proc."""
    kept = {name: value for name, value in os.environ.items() if name in _FOR_THE_SERVER}
    # A checkout's package is found from any folder, an installed one is anyway.
    package_parent = str(Path(__file__).resolve().parents[3])
    inherited = kept.get("PYTHONPATH", "")
    if package_parent not in (*site.getsitepackages(), site.getusersitepackages(), *inherited.split(os.pathsep)):
        kept["PYTHONPATH"] = os.pathsep.join([package_parent, *([inherited] if inherited else [])])
    return {**user_environment(), **kept, _MARK: "1"}


def is_server_environment() -> bool:
    """Whether this process was started in `server_environment()`."""
    return os.environ.get(_MARK) == "1"
