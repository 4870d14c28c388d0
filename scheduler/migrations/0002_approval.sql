-- Approval: a version is proposed, reviewed and approved by three people, and each of their steps is kept.

-- Until it is approved, a version's `effective_from` is infinity, so that code that knows of no approval leaves it
-- alone; `wished_from` is when it shall take effect. Files of the installation are approved as they come.
alter table scheduler.policy_version
    add column state text not null default 'approved'
        check (state in ('proposed', 'reviewed', 'approved', 'rejected', 'withdrawn')),
    add column cause text not null default 'installed' check (cause in ('installed', 'rest', 'console')),
    add column wished_from timestamptz,
    add check ((state = 'approved') = (effective_from < 'infinity')),
    add check (state = 'approved' or wished_from is not null);

-- Every step of a version, in its order.
create table scheduler.policy_step (
    policy   text collate "C" not null,
    version  integer not null,
    position smallint not null check (position >= 0),
    step     text not null check (step in ('proposed', 'reviewed', 'approved', 'rejected', 'withdrawn')),
    at       timestamptz not null,
    actor    text not null,
    note     text,
    cause    text not null check (cause in ('installed', 'rest', 'console')),
    primary key (policy, version, position)
);

insert into scheduler.policy_step (policy, version, position, step, at, actor, cause)
select policy, version, position, step, installed_at, coalesce(document::json -> 'approval' ->> role, ''), 'installed'
from scheduler.policy_version,
    (values (0, 'proposed', 'author'), (1, 'reviewed', 'reviewer'), (2, 'approved', 'approver'))
    as steps(position, step, role);
