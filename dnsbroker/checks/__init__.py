"""What would make a validation fail, looked for before it does: one module for each kind of fault.

Rule: a check asks, judges and returns findings; it changes nothing, and a trouble in asking is itself a finding. Who
runs which checks, and what follows from them, is decided elsewhere.
"""
