-- Plans of surveys by the calendar: one for each period, with everybody who could have been drawn. All times are
-- business time; days are those of the policy's zone.

-- `opens_at` is when the policy opens the survey, `begins_at` from when its `send` counts: null until the plan may be
-- carried out, later than the opening where it was approved later. `approver` is whose approval the policy demands.
-- `required`, `covered` and `active` prove the coverage beforehand, `covered_after` afterwards, in customers.
create table scheduler.plan (
    id            uuid primary key,
    policy        text collate "C" not null,
    version       integer not null,
    survey        text collate "C" not null,
    period        text not null check (period in ('week', 'month', 'quarter', 'year')),
    term          text collate "C" not null,
    starts        date not null,
    ends          date not null check (ends > starts),
    draw_from     timestamptz not null,
    ready_by      timestamptz,
    opens_at      timestamptz not null,
    promised_by   timestamptz not null,
    seed          text not null,
    drawn_at      timestamptz not null,
    required      integer,
    covered       integer,
    active        integer,
    approver      text,
    approved_at   timestamptz,
    approved_by   text,
    note          text,
    begins_at     timestamptz,
    opened_at     timestamptz,
    settled_at    timestamptz,
    reached       integer,
    covered_after integer,
    unique (policy, survey, term),
    check ((required is null) = (covered is null) and (required is null) = (active is null)),
    check ((approved_at is null) = (approved_by is null)),
    check ((begins_at is not null) = (approver is null or approved_at is not null)),
    check (opened_at is null or begins_at is not null),
    check ((settled_at is null) = (reached is null))
);
create index plan_open on scheduler.plan (begins_at) where settled_at is null;
create index plan_list on scheduler.plan (opens_at, id);

-- A customer, or one of its projects, that the plan's survey means, in the order of their keys. `ticket` is the key of
-- its turns in the ledger. What has no people could not be drawn; `active` tells who counts for the coverage. `layer`
-- names the part of the frame, of `layer_size` units, out of which it was or could have been drawn by lot.
create table scheduler.plan_unit (
    plan         uuid not null references scheduler.plan,
    number       integer not null check (number > 0),
    customer     text collate "C" not null,
    project      text collate "C",
    organisation text not null,
    stratum      text[] not null,
    active       boolean not null,
    people       uuid[] not null,
    draw         double precision not null check (draw >= 0 and draw < 1),
    chosen       boolean not null,
    cause        text check (cause in ('draw', 'always', 'coverage', 'replacement')),
    weight       double precision check (weight > 0),
    layer        text,
    layer_size   integer check (layer_size > 0),
    ticket       text collate "C" not null,
    asked_at     timestamptz,
    lost_at      timestamptz,
    replaced_by  integer,
    primary key (plan, number),
    check (chosen = (cause is not null)),
    check ((layer is null) = (layer_size is null)),
    check (chosen or (weight is null and asked_at is null)),
    check (not chosen or cardinality(people) > 0),
    check (lost_at is null or asked_at is not null),
    check (replaced_by is null or lost_at is not null)
);
create index plan_unit_waiting on scheduler.plan_unit (plan, number) where chosen and asked_at is null;
create index plan_unit_asked on scheduler.plan_unit (plan, number) where asked_at is not null and lost_at is null;
