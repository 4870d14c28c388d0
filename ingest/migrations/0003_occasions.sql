-- Occasions other than closed tickets, and promises of whatever kind to their senders.

-- What kind of report was promised.
alter table ingest.report add column type text collate "C" not null default 'huifang.ticket.reported.v1';

-- A reason to ask that is no closed ticket, as it is known and was said: one row an occasion.
create table ingest.occasion (
    source       text collate "C" not null,
    kind         text collate "C" not null,
    id           text collate "C" not null,
    -- Everything that was told of it, as JSON (`ingest.occasion.Told`); whom it concerns is sealed.
    told         text not null,
    at           timestamptz not null,
    -- Who was served, as the source names him, where the report itself does not tell how to reach him.
    registered   text collate "C",
    with_contact boolean not null,
    said_at      timestamptz not null default clock_timestamp(),
    sayings      smallint not null default 1 check (sayings > 0),
    heard_at     timestamptz,
    primary key (source, kind, id)
);
create index occasion_unheard on ingest.occasion (said_at) where heard_at is null;
create index occasion_registered on ingest.occasion (source, registered, at) where registered is not null;
