-- Visits stand on the list beside calls, in the name of whoever issues the survey; surveys may ask a part of their items.

alter table notifier.delivery add column items text[] not null default '{}';

alter table notifier.call
    add column channel text not null default 'call' check (channel in ('call', 'visit')),
    add column items text[] not null default '{}',
    add column customer text,
    add column project text,
    add column owner text,
    drop constraint call_survey_step_key,
    add constraint call_survey_step_channel_key unique (survey, step, channel);

-- In whose name each survey of a policy version goes out.
create table notifier.issuer (
    policy  text not null,
    version integer not null,
    name    text not null,
    issuer  text not null,
    primary key (policy, version, name)
);
insert into notifier.issuer (policy, version, name, issuer)
select p.policy, p.version, s.key, coalesce(s.value ->> 'by', 'service desk')
from notifier.policy p, jsonb_each(p.document::jsonb -> 'surveys') as s;
