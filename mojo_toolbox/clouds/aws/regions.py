"""Names of AWS regions: a misspelt one is refused before anything is sent to an address that does not exist."""

from __future__ import annotations

import difflib
import logging
import re
from functools import cache
from typing import Any

from mojo_toolbox.errors import ConfigurationError

_log = logging.getLogger(__name__)

# AWS opens regions faster than an installed botocore learns of them: their names are made like this.
_WELL_FORMED = re.compile(r"[a-z]{2,4}(-[a-z]{2,4})?-(north|south|central|(north|south)?(east|west))-\d")
# Of the letters of two names, so many are the same where one is the other misspelt.
_ALIKE = 0.8
# Services that are in every region.
_SERVICES = ("ec2", "sagemaker")


@cache
def require_region(name: str) -> None:
    """Refuse a text that cannot be a region's name. One that is made like one but unknown is warned of, once.

    Raises:
        ConfigurationError: it is not a region. The message names the nearest one.
    """
    known = _known_regions()
    if name in known:
        return
    near = difflib.get_close_matches(name.strip().lower(), known, n=2, cutoff=_ALIKE)
    meant = f"Did you mean {' or '.join(near)}?" if near else "A region's name is like eu-west-1."
    if not _WELL_FORMED.fullmatch(name):
        raise ConfigurationError(
            f"There is no AWS region {name!r}. {meant} See region_name=…, MOJO_REGION_NAME and AWS_DEFAULT_REGION."
        )
    _log.warning("The AWS region %r is not known to the installed boto3. %s It is tried all the same.", name, meant)


@cache
def _known_regions() -> list[str]:
    import boto3

    # Without a profile: a broken one says nothing of regions, and is another error.
    session = boto3.Session(region_name="us-east-1", botocore_session=_plain_session())
    partitions = session.get_available_partitions()
    found = {
        region
        for partition in partitions
        for service in _SERVICES
        for region in session.get_available_regions(service, partition_name=partition)
    }
    return sorted(found)


def _plain_session() -> Any:
    import botocore.session

    return botocore.session.Session(session_vars={"profile": (None, None, None, None)})
