"""The test lab: real DNS servers, a validating resolver and an ACME server, in a private namespace."""
