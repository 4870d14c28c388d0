-- Deliveries and their attempts, the call list, refusals, and copies of the policies that word them.

call services.furnish('notifier');

create table notifier.policy (
    policy         text not null,
    version        integer not null,
    effective_from timestamptz not null,
    document       text not null,
    primary key (policy, version)
);

-- A survey that is over, whether or not anything of it was heard before.
create table notifier.survey_end (
    survey   uuid primary key,
    state    text not null,
    ended_at timestamptz not null
);

-- One step of a survey on one channel. Business time, but for the lease, which is the database's clock.
create table notifier.delivery (
    id            uuid primary key,
    survey        uuid not null,
    step          integer not null check (step >= 0),
    channel       text not null check (channel in ('email', 'sms')),
    kind          text not null check (kind in ('first', 'reminder')),
    name          text not null,
    policy        text not null,
    version       integer not null,
    questionnaire text not null,
    ticket        text,
    person        uuid not null,
    sealed        bytea not null,
    locale        text,
    timezone      text,
    due_at        timestamptz not null,
    expires_at    timestamptz not null,
    state         text not null check (state in
        ('planned', 'claimed', 'sending', 'accepted', 'delivered', 'failed', 'bounced', 'uncertain', 'suppressed')),
    detail        text,
    moved_at      timestamptz not null,
    next_at       timestamptz,
    attempts      integer not null default 0 check (attempts >= 0),
    fence         integer not null default 0,
    lease_until   timestamptz,
    provider      text,
    message_id    text,
    reference     text,
    ask_at        timestamptz,
    unresolved    boolean not null default false,
    unique (survey, step, channel),
    check ((state = 'planned') = (next_at is not null)),
    check ((state in ('claimed', 'sending')) = (lease_until is not null)),
    check (state not in ('sending', 'accepted', 'uncertain', 'bounced', 'delivered') or attempts > 0),
    check (ask_at is null or state = 'uncertain'),
    check (not unresolved or state = 'uncertain')
);
create index delivery_due on notifier.delivery (channel, next_at) where state = 'planned';
create index delivery_leased on notifier.delivery (lease_until) where state in ('claimed', 'sending');
create index delivery_open on notifier.delivery (moved_at) where state = 'uncertain' and not unresolved;
create index delivery_to_ask on notifier.delivery (provider, ask_at) where ask_at is not null;
create index delivery_reference on notifier.delivery (provider, reference) where reference is not null;

-- Written before the socket opens; `ending` is null while nobody knows.
create table notifier.attempt (
    delivery   uuid not null references notifier.delivery,
    fence      integer not null,
    provider   text not null,
    started_at timestamptz not null,
    ended_at   timestamptz,
    ending     text check (ending in ('accepted', 'temporary', 'permanent', 'uncertain', 'unstarted')),
    detail     text,
    primary key (delivery, fence),
    check ((ending is null) = (ended_at is null))
);

-- Receipts that came before the provider's own answer was recorded, by the provider's reference.
create table notifier.receipt (
    provider  text not null,
    reference text not null,
    state     text not null check (state in ('accepted', 'delivered', 'bounced')),
    detail    text not null,
    heard_at  timestamptz not null default clock_timestamp(),
    primary key (provider, reference, state)
);
create index receipt_age on notifier.receipt (heard_at);

-- Keyed hashes of addresses that were refused for good.
create table notifier.dead_address (
    address uuid primary key,
    detail  text not null,
    since   timestamptz not null
);

-- What stands behind the link by which a customer declines: only the token's hash is kept.
create table notifier.opt_out_link (
    token_hash bytea primary key check (length(token_hash) = 32),
    survey     uuid not null,
    person     uuid not null,
    locale     text,
    policy     text not null,
    version    integer not null
);

create table notifier.opt_out (
    person       uuid not null,
    scope        text not null check (scope in ('survey', 'all')),
    survey       uuid not null,
    opted_out_at timestamptz not null,
    primary key (person, scope, survey)
);
create unique index opt_out_for_good on notifier.opt_out (person) where scope = 'all';

-- The call list of the service desk.
create table notifier.call (
    id            uuid primary key,
    survey        uuid not null,
    step          integer not null check (step >= 0),
    name          text not null,
    policy        text not null,
    version       integer not null,
    questionnaire text not null,
    source        text,
    ticket        text,
    closed_at     timestamptz,
    person        uuid not null,
    sealed        bytea not null,
    locale        text,
    timezone      text,
    due_at        timestamptz not null,
    promised_by   timestamptz not null,
    expires_at    timestamptz not null,
    listed_at     timestamptz not null,
    next_at       timestamptz not null,
    claimed_by    text,
    claimed_until timestamptz,
    attempts      integer not null default 0,
    outcome       text check (outcome in ('refused', 'wrong_number', 'no_answer')),
    unique (survey, step),
    check ((claimed_by is null) = (claimed_until is null)),
    check (outcome is null or claimed_by is null)
);
create index call_open on notifier.call (promised_by, id) where outcome is null;

create table notifier.call_attempt (
    call    uuid not null references notifier.call,
    number  integer not null,
    agent   text not null,
    at      timestamptz not null,
    outcome text not null check (outcome in ('no_answer', 'busy', 'refused', 'wrong_number', 'call_back')),
    primary key (call, number)
);
