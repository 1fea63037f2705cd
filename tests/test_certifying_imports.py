"""Who configures no DANE pays nothing for it."""

from __future__ import annotations

import subprocess
import sys


def test_certifying_imports_nothing_that_looks_after_records() -> None:
    """Nor does a Broker, before it is asked for DANE."""
    code = "import sys, dnsbroker.broker, dnsbroker.certifying\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    modules = done.stdout.split()
    assert "dnsbroker.certifying.covering" in modules
    assert [name for name in modules if name.startswith(("dnsbroker.dane.front", "dnsbroker.rekeying"))] == []
