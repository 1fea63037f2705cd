"""What other ACME clients have done through their hooks: values published, watched and taken back, files deployed.

A hook is a process of seconds, one of several that its client starts; what ties them together is the journal.
"""

from __future__ import annotations
