"""Whether the Hub can be reached, asked once and quickly: its own clients try for half a minute before they say no."""

from __future__ import annotations

import functools

from huggingface_hub import constants
from huggingface_hub.utils import get_session

SECONDS = 5.0


@functools.cache
def hub_is_reachable() -> bool:
    """Whether the Hub answers anything within a few seconds; False in offline mode (HF_HUB_OFFLINE=1)."""
    if constants.is_offline_mode():
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=SECONDS)
    except Exception:  # whatever the client in use calls a failed connection
        return False
    return True
