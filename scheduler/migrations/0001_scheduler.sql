-- Policies in force, closures with the decision on each, and surveys with their moves. All times are business time
-- but `echo_since`, which is the database's own.

call services.furnish('scheduler');

-- A version of a policy. `document` is the policy as it travels, `text` the file as it was written.
create table scheduler.policy_version (
    policy         text collate "C" not null,
    version        integer not null check (version > 0),
    title          json not null,
    document       text not null,
    text           text not null,
    checksum       bytea not null check (length(checksum) = 32),
    effective_from timestamptz not null,
    installed_at   timestamptz not null,
    primary key (policy, version)
);

-- Somebody who may be asked: the lock that keeps the limit per person, and his refusal.
create table scheduler.person (
    person       uuid primary key,
    opted_out_at timestamptz
);

-- A closure with its decision. One that is known only by its reopening has neither closing nor decision yet.
create table scheduler.closure (
    source      text collate "C" not null,
    ticket      text collate "C" not null,
    closure     integer not null check (closure > 0),
    closed_at   timestamptz,
    reopened_at timestamptz,
    facts       json,
    contact     json,
    turn        smallint not null default 0 check (turn >= 0),
    outcome     text check (outcome in ('survey', 'skip')),
    reason      text,
    rule        text,
    draw        double precision check (draw >= 0 and draw < 1),
    policy      text,
    version     integer,
    actor       text,
    note        text,
    decided_at  timestamptz,
    primary key (source, ticket, closure),
    check ((closed_at is null) = (outcome is null)),
    check (closed_at is not null or reopened_at is not null),
    check ((outcome is null) = (reason is null) and (outcome is null) = (decided_at is null)
        and (outcome is null) = (facts is null) and (outcome is null) = (turn = 0)),
    check ((policy is null) = (version is null)),
    check (outcome <> 'survey' or rule is not null)
);

-- A decision that a later one replaced.
create table scheduler.former_decision (
    source     text collate "C" not null,
    ticket     text collate "C" not null,
    closure    integer not null,
    turn       smallint not null check (turn > 0),
    outcome    text not null,
    reason     text not null,
    rule       text,
    draw       double precision,
    policy     text,
    version    integer,
    actor      text not null,
    note       text,
    decided_at timestamptz not null,
    primary key (source, ticket, closure, turn)
);

-- A survey as it stands. `steps` and `reported` have a place for each step of its rule: what was last known of it,
-- and since when. `asked_at` is when the person is or was first asked: what his limit counts, if it is `limited`.
create table scheduler.survey (
    id           uuid primary key,
    source       text collate "C" not null,
    ticket       text collate "C" not null,
    closure      integer not null,
    name         text not null,
    policy       text not null,
    version      integer not null,
    person       uuid not null,
    limited      boolean not null,
    state        text not null check (state in
        ('planned', 'due', 'sent', 'answered', 'declined', 'cancelled', 'expired', 'unreachable')),
    planned_at   timestamptz not null,
    promised_by  timestamptz not null,
    expires_at   timestamptz not null,
    asked_at     timestamptz,
    contacted_at timestamptz,
    ended_at     timestamptz,
    steps        text[] not null check (array_remove(steps, null) <@ array['said', 'accepted', 'delivered', 'failed', 'bounced',
        'uncertain', 'suppressed', 'listed']),
    reported     timestamptz[] not null,
    next_step    smallint,
    next_at      timestamptz,
    echo_since   timestamptz,
    unique (source, ticket, closure, name),
    check (cardinality(steps) = cardinality(reported)),
    check ((state in ('planned', 'due', 'sent')) = (ended_at is null)),
    check ((ended_at is null) = (next_step is not null) and (ended_at is null) = (next_at is not null)),
    check (state <> 'sent' or contacted_at is not null),
    check (state not in ('planned', 'due') or (contacted_at is null and asked_at is not null)),
    check (next_step between 0 and cardinality(steps))
) with (fillfactor = 85);
create index survey_person on scheduler.survey (person, asked_at) where asked_at is not null;
create index survey_promise on scheduler.survey (promised_by) where state in ('planned', 'due');
create index survey_echo on scheduler.survey (echo_since) where echo_since is not null;

-- Every move of a survey from one state to another.
create table scheduler.survey_move (
    survey     uuid not null,
    position   bigint generated always as identity,
    at         timestamptz not null,
    from_state text not null,
    to_state   text not null,
    cause      text not null,
    actor      text not null,
    note       text,
    primary key (survey, position),
    check (from_state <> to_state)
);

-- What comes up when: one narrow row for each survey that is open. A row that the survey no longer agrees with (it
-- ended, or its next step moved) is dropped when its time comes, so that nothing has to look for it before.
create table scheduler.due (
    due_at timestamptz not null,
    survey uuid not null,
    step   smallint not null,
    primary key (due_at, survey, step)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
