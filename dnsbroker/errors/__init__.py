"""Every error this library raises; errors are data, their message is built from their fields.

::

    BrokerError [hint, transient]
    ├── ConfigError [path, key]
    ├── NameInvalid [name, reason]
    ├── ProviderError [provider, zone, rrset, nothing_done]
    │   ├── AuthRejected
    │   ├── ZoneMissing [tried]
    │   ├── Conflict [expected, found]
    │   ├── RateLimited [retry_after]
    │   ├── ProviderUnavailable
    │   ├── SerialStuck [setting, serial]
    │   └── RecordRejected [status, detail]
    ├── LookupFailed [server, name, rcode]
    ├── DelegationBroken [name, chain]
    ├── NoProvider [name, zone]
    ├── NotPropagated [name, expected, seen_by_server, waited]
    ├── NotWithdrawn [names]
    ├── Held [name, until]
    ├── KeyGuarded [names]
    ├── PreflightFailed [name, checks]
    ├── AcmeError
    │   ├── DirectoryUnreachable [url, retry_after]
    │   ├── Problem [type, detail, status, retry_after, subproblems]
    │   ├── OrderUnfinished [waited, retry_after]
    │   ├── Postponed [name, until]
    │   └── OrderFailed [problem_type, detail, identifier, subproblems]
    ├── PemInvalid [what, reason]
    ├── DeployFailed [certificate, steps]
    ├── ServiceUnreachable [endpoint, address, reason, untested]
    └── StoreError [path]

``transient`` is all that a retry asks. No field holds a secret. Exit statuses follow from the class, in one table
of the command line; nothing here knows about them.
"""

from __future__ import annotations

from dnsbroker.errors.certificates import (
    AcmeError,
    DeployFailed,
    DirectoryUnreachable,
    Held,
    KeyGuarded,
    OrderFailed,
    OrderUnfinished,
    Postponed,
    PreflightFailed,
    Problem,
    ServiceUnreachable,
)
from dnsbroker.errors.root import (
    BrokerError,
    ConfigError,
    NameInvalid,
    PemInvalid,
    StoreError,
)
from dnsbroker.errors.zones import (
    AuthRejected,
    Conflict,
    DelegationBroken,
    LookupFailed,
    NoProvider,
    NotPropagated,
    NotWithdrawn,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RecordRejected,
    SerialStuck,
    ZoneMissing,
)

__all__ = [
    "AcmeError",
    "AuthRejected",
    "BrokerError",
    "ConfigError",
    "Conflict",
    "DelegationBroken",
    "DeployFailed",
    "DirectoryUnreachable",
    "Held",
    "KeyGuarded",
    "LookupFailed",
    "NameInvalid",
    "NoProvider",
    "NotPropagated",
    "NotWithdrawn",
    "OrderFailed",
    "OrderUnfinished",
    "PemInvalid",
    "Postponed",
    "PreflightFailed",
    "Problem",
    "ProviderError",
    "ProviderUnavailable",
    "RateLimited",
    "RecordRejected",
    "SerialStuck",
    "ServiceUnreachable",
    "StoreError",
    "ZoneMissing",
]
