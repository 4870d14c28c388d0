-- What scoring keeps: the questionnaires as approved, a page for each survey, and every version of every answer.
-- Nothing here names a customer: `person` is a keyed hash, and links are kept as hashes.

call services.furnish('scoring');

-- A version of a policy, whole. `timezone` says in which month an answer falls, `minimum_group` what is never shown.
create table scoring.policy (
    policy         text collate "C" not null,
    version        integer not null check (version > 0),
    effective_from timestamptz not null,
    timezone       text not null,
    minimum_group  integer not null check (minimum_group >= 5),
    document       text not null,
    primary key (policy, version)
);

-- The page that a survey's link opens. It may come before its policy, and after its survey's end.
create table scoring.page (
    survey         uuid primary key,
    token_hash     bytea not null unique check (length(token_hash) = 32),
    name           text collate "C" not null,
    policy         text collate "C" not null,
    policy_version integer not null,
    questionnaire  text collate "C" not null,
    person         uuid not null,
    locale         text,
    source         text collate "C",
    ticket         text collate "C",
    closure        integer,
    facts          jsonb not null,
    opened_at      timestamptz not null,
    expires_at     timestamptz not null,
    check ((source is null) = (ticket is null))
);
create index page_opened on scoring.page (opened_at);

-- The end of a survey, as the scheduler told it: it closes the page, and it is the echo of an answer.
create table scoring.survey_end (
    survey   uuid primary key,
    state    text collate "C" not null check (state in ('answered', 'declined', 'cancelled', 'expired', 'unreachable')),
    ended_at timestamptz not null
);

-- The answer to a survey as it stands; `answered_at` is its first version's time. `said_at` and `echoed` serve the sweep.
create table scoring.response (
    response    uuid primary key,
    survey      uuid not null unique references scoring.page,
    version     integer not null check (version > 0),
    name        text collate "C" not null,
    source      text collate "C",
    ticket      text collate "C",
    channel     text not null check (channel in ('self', 'telephone', 'visit')),
    validity    text not null check (validity in ('valid', 'suspect', 'void')),
    score       double precision check (score between 0 and 100.000001),
    satisfied   boolean,
    answered_at timestamptz not null,
    said_at     timestamptz not null default clock_timestamp(),
    echoed      boolean not null default false
);
create index response_answered on scoring.response (answered_at, response);
create index response_ticket on scoring.response (source, ticket);
create index response_unheard on scoring.response (said_at) where not echoed;

-- Every version of every answer, never changed. `numbers` are the closed answers for figures, `texts` what was written;
-- `origin` stands for the address that it came from (a keyed hash) and is forgotten after some days; `customer` is for
-- whom it was given, by name or, where none is known, by the person's hash.
create table scoring.response_version (
    survey      uuid not null references scoring.page,
    version     integer not null check (version > 0),
    answered_at timestamptz not null,
    answers     jsonb not null,
    texts       jsonb not null,
    numbers     jsonb not null,
    score       double precision,
    satisfied   boolean,
    flags       text[] not null,
    origin      text collate "C",
    customer    text collate "C" not null,
    primary key (survey, version)
);
create index response_version_origin on scoring.response_version (origin, answered_at) where origin is not null;
