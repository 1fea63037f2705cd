"""The demonstration: certificates through each service, and faults, with what happened looked at from outside."""
