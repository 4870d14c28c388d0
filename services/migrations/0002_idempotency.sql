-- A write that is under way holds its key, so that the same sent twice at the same time is done once.
alter table services.idempotency
    alter column status drop not null,
    alter column content_type drop not null,
    alter column body drop not null,
    add column headers text[] not null default '{}',
    add constraint idempotency_answered check ((status is null) = (body is null));
