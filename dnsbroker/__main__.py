"""``python -m dnsbroker`` is the program ``dnsbroker``."""

from __future__ import annotations

import sys

from dnsbroker.cli import main

sys.exit(main())
