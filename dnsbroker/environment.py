"""The only module that reads the process's environment; everybody else is handed what it says."""

from __future__ import annotations

import os
from collections.abc import Mapping


def variables() -> Mapping[str, str]:
    """The environment as it is now."""
    return dict(os.environ)  # noqa: TID251 - this is the module that reads it
