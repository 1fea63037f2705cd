"""Which process is the client that calls: the nearest of our ancestors that runs its program.

Shells and wrappers stand between, some for each call anew; the client's own process lives as long as its run does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

# Nobody has more between a client and its hook.
_GENERATIONS = 32
_INTERPRETER = re.compile(r"python[0-9.]*|(ba|da|a|k|z)?sh")


def client(program: str) -> int:
    """The id of the nearest ancestor that runs ``program``; 0 where none is seen."""
    pid = os.getppid()
    for _ in range(_GENERATIONS):
        words = _words(pid)
        if _program(words) == program:
            return _first_of(pid, words)
        pid = _parent(pid)
    return 0


def _program(words: Sequence[str]) -> str:
    """What is run: the first word, or what an interpreter was given; ``sudo -u certbot`` runs no certbot."""
    first, *more = map(os.path.basename, words or [""])
    if _INTERPRETER.fullmatch(first):
        return next((word for word in more if not word.startswith("-")), first)
    return first


def _first_of(pid: int, words: Sequence[str]) -> int:
    """The one that ``pid`` is a copy of: a shell script runs parts of itself in copies."""
    parent = _parent(pid)
    while parent and _words(parent) == words:
        pid, parent = parent, _parent(parent)
    return pid


def _words(pid: int) -> Sequence[str]:
    """The command line of a process; nothing where it is not to be seen."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    return text.decode("utf-8", "replace").split("\0")


def _parent(pid: int) -> int:
    """The parent's id; 0 where there is none, or it is not to be seen."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0
