"""Shares that users may set: checked, and drawn from."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping

from mojo_toolbox.errors import ConfigurationError

# By steps of the golden ratio the first n numbers of any length fill the shares evenly, so 20 conversations have them too.
_GOLDEN = (math.sqrt(5) - 1) / 2


def checked_shares(what: str, shares: Mapping[str, float], known: Collection[str] | None = None) -> dict[str, float]:
    """Return shares that sum to 1, without those of 0; whatever they summed to before.

    Args:
        what: what is shared out, for the error's text.
        shares: a number of at least 0 for each name.
        known: the names that there are; None for any.

    Raises:
        ConfigurationError: an unknown name, a number below 0 or none at all, or only zeros.
    """
    if not isinstance(shares, Mapping) or not shares:
        raise ConfigurationError(f'The {what} must be a share by name, such as {{"{_sample(known)}": 0.5}}.')
    for name, share in shares.items():
        if not isinstance(name, str) or (known is not None and name not in known):
            raise ConfigurationError(f"There is no {name!r:.80} among the {what}. {_meant(str(name), known or ())}")
        usable = isinstance(share, int | float) and not isinstance(share, bool)
        if not usable or not math.isfinite(share) or share < 0:
            raise ConfigurationError(
                f"The share of {name!r:.80} among the {what} must be a number of at least 0, not {share!r:.80}."
            )
    total = math.fsum(shares.values())
    if not 0 < total < math.inf:
        raise ConfigurationError(f"The shares of the {what} sum to {total:g}: at least one must be above 0.")
    return {name: share / total for name, share in shares.items() if share > 0}


def evenly_drawn(shares: Mapping[str, float], number: int, *, offset: float) -> str:
    """Return the name that is `number`'s, so that the first numbers have their shares already.

    Args:
        shares: they sum to 1.
        number: from 0.
        offset: from 0 to 1; another one begins elsewhere.
    """
    position = (offset + number * _GOLDEN) % 1
    for name, share in shares.items():
        position -= share
        if position < 0:
            return name
    return list(shares)[-1]  # what rounding left over


def _sample(known: Collection[str] | None) -> str:
    return next(iter(known), "name") if known else "name"


def _meant(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
