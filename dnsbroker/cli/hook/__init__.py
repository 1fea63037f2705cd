"""The program ``dnsbroker-hook``: whatever ACME client calls it, told by the first argument alone.

A client calls its hook for much that is no concern of ours: that costs next to nothing, so nothing else is imported
here. Refuses: taking anything from the environment that says what to do, for clients leave in it what belongs to the
call before.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

#: Whose word each is. What dehydrated calls besides needs nothing.
CLIENTS = {
    "certbot-auth": "certbot",
    "certbot-cleanup": "certbot",
    "certbot-deploy": "certbot",
    "startup_hook": "dehydrated",
    "deploy_challenge": "dehydrated",
    "clean_challenge": "dehydrated",
    "invalid_challenge": "dehydrated",
    "sync_cert": "dehydrated",
    "deploy_cert": "dehydrated",
    "unchanged_cert": "dehydrated",
    "exit_hook": "dehydrated",
    "present": "lego",
    "cleanup": "lego",
    "begin": "uacme",
    "done": "uacme",
    "failed": "uacme",
    "add": "acme.sh",
    "rm": "acme.sh",
}
_PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789_"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what an ACME client asks for by ``arguments`` (the process's own where None); returns the exit status.

    Example: ``main(["present", "_acme-challenge.example.org.", "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"])``.
    """
    if arguments is None:
        gc.set_threshold(200_000)  # so short a run has little to collect, and looks for it rarely
    try:
        close_inherited()
        status = _run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # while the program itself was loading
        status = 130
    if arguments is None:
        _leave(status)
    return status


def _run(given: list[str]) -> int:
    if given and is_unneeded(given[0]) and not meant(given[0]):
        return 0
    from dnsbroker.cli.hook.words import run

    return run(given)


def _leave(status: int) -> None:
    """End the process now, all said and closed: to take apart what was imported would take a tenth of a call's time."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            continue  # whoever could not be told is beyond help now
    os._exit(status)


def is_unneeded(word: str) -> bool:
    """Whether ``word`` may be a hook's name, of one that needs nothing; dehydrated asks to accept any."""
    return word != "" and not word.strip(_PLAIN) and word not in CLIENTS


def meant(word: str) -> str:
    """The client's word that ``word``, which is none, was meant to be; empty where it may be dehydrated's own."""
    dashed = word.replace("_", "-")
    return dashed if dashed in CLIENTS else ""


def close_inherited() -> None:
    """Close what a client left open for us: dehydrated's descriptor 3 is the certificate's file.

    Only what survived being started is inheritable: what this process opens itself is not, and stays.
    """
    try:
        opened = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        opened = list(range(3, 256))
    for descriptor in opened:
        try:
            if descriptor > 2 and os.get_inheritable(descriptor):
                os.close(descriptor)
        except OSError:
            continue  # it was the listing's own
