-- The frame's own tables: what every room needs and none owns.

create schema if not exists services;

create table services.api_key (
    key_hash   bytea primary key check (length(key_hash) = 32),
    name       text not null check (name <> ''),
    role       text not null,
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz
);
create unique index api_key_name on services.api_key (name) where revoked_at is null;

-- One data key a person, wrapped by the key ring. Destroying it (wrapped is null) makes the person unreadable everywhere.
create table services.person_key (
    person    uuid primary key,
    key_id    text,
    wrapped   bytea,
    erased_at timestamptz,
    check ((wrapped is null) = (erased_at is not null)),
    check ((wrapped is null) = (key_id is null))
);

-- Who of several processes does what only one may do, until when by the database's clock.
create table services.lease (
    name       text primary key,
    holder     uuid not null,
    until      timestamptz not null
);

-- What became of a write that carried an Idempotency-Key.
create table services.idempotency (
    caller       text not null,
    key          text not null check (length(key) between 1 and 128),
    request_hash bytea not null,
    status       integer not null,
    content_type text not null,
    body         bytea not null,
    created_at   timestamptz not null default clock_timestamp(),
    primary key (caller, key)
);
create index idempotency_age on services.idempotency (created_at);

-- Readiness writes here: a replica or a full disk answers reads well enough.
create table services.heartbeat (
    process uuid primary key,
    beat_at timestamptz not null
);

-- What every room has: a schema and an outbox. Each room's first migration calls it.
create procedure services.furnish(room text) language plpgsql as $$
begin
    execute format('create schema if not exists %I', room);
    execute format('create table %I.outbox (
        position bigint generated always as identity primary key,
        topic    text not null,
        key      text not null,
        value    bytea not null,
        said_at  timestamptz not null default clock_timestamp()
    )', room);
end $$;
