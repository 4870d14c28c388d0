-- Reasons to ask beside closed tickets (occasions, turns in plans, answers), the register's customers, and their grades.

-- A closure's row tells what it is of; its three key words then are those of `scheduler.policy.Closing`.
alter table scheduler.closure add column kind text not null default 'ticket closed';
create index closure_rule on scheduler.closure (rule, closed_at) where rule is not null;

-- `items` are those of the questionnaire that are asked, all where none is named; `owner` who owes a call or visit;
-- `respondent` who is asked, in the register's words (`services.contracts.surveys.Respondent`).
alter table scheduler.survey add column items text[] not null default '{}', add column owner text,
    add column respondent json not null default '{}';

-- A customer as the register last told of him. People are sealed.
create table scheduler.customer (
    customer   text collate "C" primary key,
    changed_at timestamptz not null,
    name       text,
    facts      json not null,
    contacts   json not null,
    ended      boolean not null
);

-- When a customer last complained, the day in UTC; he need not be in the register yet.
create table scheduler.complaint (
    customer   text collate "C" primary key,
    complained date not null
);

-- The grade that a policy gave a customer for a year, with its reasons.
create table scheduler.grade (
    policy    text collate "C" not null,
    year      smallint not null,
    customer  text collate "C" not null,
    rank      integer not null check (rank > 0),
    points    double precision not null,
    earned    json not null,
    missing   text[] not null,
    grade     text not null,
    tied      boolean not null,
    graded_at timestamptz not null,
    primary key (policy, year, customer)
);
create index grade_customer on scheduler.grade (customer, year desc);
