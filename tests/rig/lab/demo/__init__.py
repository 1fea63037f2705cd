"""The demonstration: a certificate through each service of the lab, with what happened looked at from outside."""
