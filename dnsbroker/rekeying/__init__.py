"""DANE as a person asks for it: published, taken back, keys rolled over and brought on, told.

Rule: it puts together who looks after records (``dnsbroker.dane``) and who orders (``dnsbroker.certifying``), and
decides nothing itself.
"""
