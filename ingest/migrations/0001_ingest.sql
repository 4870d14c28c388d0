-- What ingest keeps: its doors, what came in by them, and what follows for each ticket. Names compare bytewise: they
-- are keys, not words.

call services.furnish('ingest');

-- An ITSM that may report. `mapping` understands its JSON, `scheme` its signatures; `timezone` is what times without a
-- zone are meant in.
create table ingest.source (
    name       text collate "C" primary key check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    mapping    text not null,
    scheme     text not null,
    timezone   text not null default 'UTC',
    enabled    boolean not null default true,
    created_at timestamptz not null default clock_timestamp()
);

-- A source's signing secret, sealed. While one replaces another, the old one is valid until `ends_at`.
create table ingest.secret (
    id         bigint generated always as identity primary key,
    source     text collate "C" not null references ingest.source on delete cascade,
    sealed     bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    ends_at    timestamptz
);
create unique index secret_current on ingest.secret (source) where ends_at is null;

-- A delivery that was accepted, by the sender's id for it (or the body's hash): the same again has no effect.
create table ingest.receipt (
    source      text collate "C" not null,
    delivery    text collate "C" not null,
    body_hash   bytea not null check (length(body_hash) = 32),
    received_at timestamptz not null default clock_timestamp(),
    primary key (source, delivery)
);
create index receipt_age on ingest.receipt using brin (received_at);

-- A report that was promised to its sender (202) and is not yet known to be among its ticket's moves. The sweeper asks.
create table ingest.report (
    id         uuid primary key,
    event      text not null,
    said_at    timestamptz not null default clock_timestamp(),
    sayings    smallint not null default 1 check (sayings > 0)
);
create index report_age on ingest.report (said_at);

-- Everything that was told about a ticket, as JSON (`ingest.ticket.Move`). Text, because checking it again would cost a
-- fifth of the rate. The row is also the lock under which its closures are counted.
create table ingest.ticket (
    source text collate "C" not null,
    ticket text collate "C" not null,
    moves  text not null,
    primary key (source, ticket)
);

-- What follows from the moves: one row a closure, and whether the scheduler has heard of it as it is now.
create table ingest.closure (
    source       text collate "C" not null,
    ticket       text collate "C" not null,
    closure      integer not null check (closure > 0),
    closed_at    timestamptz not null,
    reopened_at  timestamptz check (reopened_at >= closed_at),
    -- Who was served, as the ITSM names him, where the ticket itself does not tell how to reach him.
    registered   text collate "C",
    with_contact boolean not null,
    said_at      timestamptz not null default clock_timestamp(),
    sayings      smallint not null default 1 check (sayings > 0),
    heard_at     timestamptz,
    primary key (source, ticket, closure)
);
create index closure_unheard on ingest.closure (said_at) where heard_at is null;
create index closure_registered on ingest.closure (source, registered, closed_at) where registered is not null;

-- The register: how to reach the persons whom an ITSM names by an id alone. Everything personal is inside `sealed`.
create table ingest.contact (
    source     text collate "C" not null,
    id         text collate "C" not null,
    person     uuid not null,
    channels   text[] not null,
    sealed     bytea not null,
    locale     text,
    timezone   text,
    staff      boolean not null default false,
    customer   text,
    version    integer not null default 1 check (version > 0),
    updated_at timestamptz not null default clock_timestamp(),
    primary key (source, id)
);
create index contact_age on ingest.contact (updated_at);
