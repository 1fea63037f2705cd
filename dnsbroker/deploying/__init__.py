"""What happens once a certificate is live: copies, hooks, reloads, and a look at what is served.

Rule: a step that failed is tried again alone, and none of them is a reason to order a certificate.
"""

from dnsbroker.deploying.deployment import Deploying
from dnsbroker.deploying.steps import Failed, steps

__all__ = ["Deploying", "Failed", "steps"]
