"""How ``state.db`` is laid out: each step brings a file from one layout to the next, a new file through all of them.

A step is never changed once it has been released; what is wanted beside it is a further step. Moments are seconds since
the epoch.
"""

from __future__ import annotations

_LEASES = """
CREATE TABLE lease (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    provider TEXT NOT NULL,
    zone TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    ttl INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('wanted', 'sending', 'present', 'unwanted', 'closed')),
    foreign_value INTEGER NOT NULL DEFAULT 0,
    unasked INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    expires REAL,
    suspect_until REAL,
    write INTEGER,
    serial INTEGER,
    closed REAL,
    withdrawer TEXT,
    trouble TEXT
);
CREATE INDEX lease_open ON lease (zone, state) WHERE state <> 'closed';
CREATE INDEX lease_name ON lease (name, type);
CREATE TABLE write (id INTEGER PRIMARY KEY, zone TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE denial (name TEXT PRIMARY KEY, until REAL NOT NULL);
"""

_LIVES = """
CREATE TABLE attempt (
    certificate TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    since REAL NOT NULL,
    last REAL NOT NULL,
    next_try REAL NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    hint TEXT NOT NULL
);
CREATE TABLE failed_validation (directory TEXT NOT NULL, identifier TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX failed_validation_name ON failed_validation (directory, identifier, at);
CREATE TABLE backoff (
    directory TEXT NOT NULL,
    certificate TEXT NOT NULL,
    demanded REAL NOT NULL,
    until REAL NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (directory, certificate)
);
CREATE TABLE deployment (
    certificate TEXT NOT NULL,
    serial TEXT NOT NULL,
    step TEXT NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'done', 'failed')),
    at REAL NOT NULL,
    message TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (certificate, serial, step)
);
CREATE TABLE renewal_answer (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL CHECK (source IN ('ari', 'crl', 'none')),
    url TEXT NOT NULL,
    asked_at REAL NOT NULL,
    ask_again_at REAL NOT NULL,
    window_start REAL,
    window_end REAL,
    moment REAL,
    explanation TEXT NOT NULL,
    revoked_at REAL,
    failures INTEGER NOT NULL
);
CREATE TABLE barred_key (spki_sha256 TEXT PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    run TEXT NOT NULL,
    command TEXT NOT NULL,
    event TEXT NOT NULL,
    certificate TEXT NOT NULL,
    fields TEXT NOT NULL
);
CREATE INDEX event_at ON event (at);
CREATE TABLE observation (
    endpoint TEXT NOT NULL,
    certificate TEXT NOT NULL,
    covered INTEGER NOT NULL,
    at REAL NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (endpoint, certificate)
);
CREATE TABLE alert (
    subject TEXT PRIMARY KEY,
    since REAL NOT NULL,
    told REAL NOT NULL,
    summary TEXT NOT NULL
);
"""

_HOOKS = """
CREATE TABLE hooked (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    token TEXT NOT NULL,
    run TEXT NOT NULL,
    expires REAL NOT NULL,
    UNIQUE (session, name, value)
);
CREATE TABLE hooked_failure (
    session TEXT NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    hint TEXT NOT NULL,
    certificate TEXT NOT NULL
);
"""

_ROLLOVERS = """
CREATE TABLE tlsa_sight (
    owner TEXT NOT NULL,
    server TEXT NOT NULL,
    records TEXT NOT NULL,
    ttl INTEGER NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    is_current INTEGER NOT NULL,
    PRIMARY KEY (owner, server, records, ttl, first)
);
CREATE TABLE tlsa_clock (owner TEXT NOT NULL, record TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (owner, record));
CREATE TABLE tlsa_look (owner TEXT PRIMARY KEY, is_whole INTEGER NOT NULL);
CREATE TABLE tlsa_endpoint (
    endpoint TEXT PRIMARY KEY,
    owners TEXT NOT NULL,
    certificates TEXT NOT NULL,
    is_withdrawn INTEGER NOT NULL,
    serve_until REAL NOT NULL,
    given_by TEXT NOT NULL
);
CREATE TABLE tlsa_served (
    endpoint TEXT NOT NULL,
    address TEXT NOT NULL,
    spki_sha256 TEXT NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    PRIMARY KEY (endpoint, address, spki_sha256, first)
);
CREATE TABLE rollover (
    certificate TEXT PRIMARY KEY,
    step TEXT NOT NULL,
    since REAL NOT NULL,
    reason TEXT NOT NULL,
    until REAL,
    is_asked INTEGER NOT NULL,
    is_emergency INTEGER NOT NULL,
    verified_since REAL,
    refused TEXT NOT NULL,
    no_authority_until REAL NOT NULL,
    objections TEXT NOT NULL
);
CREATE TABLE rollover_step (
    id INTEGER PRIMARY KEY,
    certificate TEXT NOT NULL,
    at REAL NOT NULL,
    step TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX rollover_step_certificate ON rollover_step (certificate);
"""

_GIVEN_UP = "ALTER TABLE rollover ADD COLUMN given_up TEXT NOT NULL DEFAULT '';"

#: What brings a file of layout 0, an empty one, to layout 1, that to layout 2, and so on.
STEPS = (_LEASES, _LIVES, _HOOKS, _ROLLOVERS, _GIVEN_UP)
