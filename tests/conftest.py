"""What holds for every test: none fails because the machine has much else to do."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# On top of what hypothesis itself sets, which under CI is more.
settings.register_profile("unhurried", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
