"""Standard output and standard error as they really are: closed, full, read by nobody, or in another character set.

Nothing that happens to them stops a run: a certificate is not given up because ``head`` has seen enough.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


def prepare() -> None:
    """Make both streams take any text: what their character set lacks, lone surrogates too, is shown escaped."""
    # Without these streams (`dnsbroker list >&-`) Python has None in their place.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open as long as the program
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str, stream: TextIO) -> OSError | None:
    """Print ``text`` as a line, at once; what went wrong, if something did. After that, ``stream`` leads nowhere."""
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        abandon(stream)
        return error
    return None


def abandon(stream: TextIO) -> None:
    """Let whatever is still written to ``stream`` vanish, so that the interpreter's last flush does not fail."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except OSError:
        return  # there is nothing behind it
