-- name: insert_policies
-- Keeps versions of policies; a version never changes.
insert into scoring.policy (policy, version, effective_from, timezone, minimum_group, document)
select * from unnest($1::text[], $2::integer[], $3::timestamptz[], $4::text[], $5::integer[], $6::text[])
on conflict (policy, version) do nothing;

-- name: find_policies
-- The documents of versions that are known.
select policy, version, document
from scoring.policy
join unnest($1::text[], $2::integer[]) as wanted (policy, version) using (policy, version);

-- name: upsert_pages
-- Opens pages. The steps of a survey may come in any order: the earliest opens, the latest end counts.
insert into scoring.page (
    survey, token_hash, name, policy, policy_version, questionnaire, person, locale, source, ticket, closure, facts,
    opened_at, expires_at, items, respondent, again
)
select
    survey, token_hash, name, policy, policy_version, questionnaire, person, locale, source, ticket, closure, facts,
    opened_at, expires_at, string_to_array(items, ' '), respondent, again
from unnest(
    $1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::uuid[], $8::text[], $9::text[],
    $10::text[], $11::integer[], $12::jsonb[], $13::timestamptz[], $14::timestamptz[], $15::text[], $16::jsonb[],
    $17::integer[]
) as due (
    survey, token_hash, name, policy, policy_version, questionnaire, person, locale, source, ticket, closure, facts,
    opened_at, expires_at, items, respondent, again
)
on conflict (survey) do update
set opened_at = least(page.opened_at, excluded.opened_at), expires_at = greatest(page.expires_at, excluded.expires_at)
where excluded.opened_at < page.opened_at or excluded.expires_at > page.expires_at;

-- name: upsert_survey_ends
-- Notes how surveys ended; told several ends, the latest counts, whatever the order of telling.
insert into scoring.survey_end (survey, state, ended_at)
select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])
on conflict (survey) do update
set state = excluded.state, ended_at = excluded.ended_at
where (excluded.ended_at, excluded.state) > (survey_end.ended_at, survey_end.state);

-- name: mark_echoed
-- Notes that the scheduler has heard the answers to these surveys.
update scoring.response set echoed = true where survey = any($1::uuid[]) and not echoed;

-- name: find_pages
-- What links lead to, with the latest answer.
select
    page.token_hash, page.survey, page.name, page.policy, page.policy_version, page.questionnaire, page.person,
    page.locale, page.expires_at, page.source, page.ticket, page.closure, page.facts, page.items,
    page.again, survey_end.state as ended,
    response.response, coalesce(response.version, 0) as version, response.answered_at, latest.answers, latest.texts
from scoring.page
left join scoring.survey_end on survey_end.survey = page.survey
left join scoring.response on response.survey = page.survey
left join scoring.response_version as latest on latest.survey = page.survey and latest.version = response.version
where page.token_hash = any($1::bytea[]);

-- name: find_origins
-- For whom answers came from these addresses since a moment.
select origin, customer, answered_at
from scoring.response_version
where origin = any($1::text[]) and answered_at > $2;

-- name: insert_responses
-- Keeps versions of responses; returns those that are new, of which the response's own row then tells.
with given as (
    select * from unnest(
        $1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::timestamptz[], $10::jsonb[], $11::jsonb[], $12::jsonb[], $13::double precision[], $14::boolean[],
        $15::text[], $16::text[], $17::text[]
    ) as given (
        response, survey, version, name, source, ticket, channel, validity, answered_at, answers, texts, numbers, score,
        satisfied, flags, origin, customer
    )
), added as (
    insert into scoring.response_version (
        survey, version, answered_at, answers, texts, numbers, score, satisfied, flags, origin, customer
    )
    select
        survey, version, answered_at, answers, texts, numbers, score, satisfied, string_to_array(flags, ' '), origin,
        customer
    from given
    order by survey, version
    on conflict (survey, version) do nothing
    returning survey, version
), kept as (
    insert into scoring.response (
        response, survey, version, name, source, ticket, channel, validity, score, satisfied, answered_at
    )
    select response, survey, version, name, source, ticket, channel, validity, score, satisfied, answered_at
    from given join added using (survey, version)
    on conflict (survey) do update
    set version = excluded.version, channel = excluded.channel, score = excluded.score, satisfied = excluded.satisfied,
        validity = case when response.validity = 'void' then 'void' else excluded.validity end
    where response.version < excluded.version
)
select survey, version from added;

-- name: settle_echoes
-- Notes answers as heard whose survey is known to have ended.
update scoring.response set echoed = true
from scoring.survey_end
where not response.echoed and survey_end.survey = response.survey;

-- name: take_unheard
-- Answers without an echo for so long; they count as said just now.
update scoring.response set said_at = clock_timestamp()
where response in (
    select response from scoring.response
    where not echoed and said_at < clock_timestamp() - $1::interval
    order by said_at limit $2 for update skip locked
)
returning survey;

-- name: find_versions
-- Every version of the answers to these surveys, with the pages that they answer.
select
    page.survey, page.name, page.policy, page.policy_version, page.questionnaire, page.person, page.locale,
    page.expires_at, page.source, page.ticket, page.closure, page.facts, page.items,
    page.again, survey_end.state as ended,
    response.response, response.version, response.answered_at, response.channel, response.validity,
    this.version as this_version, this.answered_at as this_answered_at, this.answers, this.texts, this.numbers,
    this.score, this.satisfied, this.flags
from scoring.page
join scoring.response using (survey)
join scoring.response_version as this using (survey)
left join scoring.survey_end using (survey)
where page.survey = any($1::uuid[])
order by response.answered_at desc, response.response desc, this.version;

-- name: list_responses
-- A page of answers, latest first.
select response, survey, answered_at
from scoring.response
where ($1::text is null or name = $1) and ($2::uuid is null or survey = $2) and ($3::text is null or source = $3)
    and ($4::text is null or ticket = $4) and ($5::timestamptz is null or answered_at >= $5)
    and ($6::timestamptz is null or answered_at < $6) and ($7::text is null or validity = $7)
    and ($8::timestamptz is null or (answered_at, response) < ($8, $9::uuid))
order by answered_at desc, response desc
limit $10;

-- name: find_survey_of_response
-- The survey that a response answers.
select survey from scoring.response where response = $1;

-- name: count_patterns
-- How often each pattern of answers was given, by group, with what a figure needs to be computed from it.
select
    case $1::text
        when 'channel' then response.channel
        else scoring.group_of(
            $1, page.name, page.policy, response.answered_at, policy.timezone, page.facts, page.respondent
        )
    end as key,
    page.name, page.policy, page.policy_version, page.questionnaire, response.validity, response.satisfied,
    latest.numbers, page.respondent ->> 'served_by' as organisation, page.respondent ->> 'stratum' as stratum,
    (page.respondent ->> 'population')::integer as population, count(*) as times
from scoring.response
join scoring.page using (survey)
join scoring.policy on policy.policy = page.policy and policy.version = page.policy_version
join scoring.response_version as latest on latest.survey = response.survey and latest.version = response.version
where ($2::timestamptz is null or response.answered_at >= $2) and ($3::timestamptz is null or response.answered_at < $3)
    and ($4::text is null or response.name = $4) and ($5::text is null or page.policy = $5) and (page.again > 0) = $6
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;

-- name: count_asked
-- How many were asked in a period, how many of them have answered, and how many of those answers are valid, by group.
select
    scoring.group_of(
        $1::text, page.name, page.policy, page.opened_at, policy.timezone, page.facts, page.respondent
    ) as key,
    page.name, page.policy, page.policy_version,
    count(*) as asked, count(response.survey) as answered,
    count(response.survey) filter (where response.validity = 'valid') as returned
from scoring.page
join scoring.policy on policy.policy = page.policy and policy.version = page.policy_version
left join scoring.response on response.survey = page.survey and response.validity <> 'void'
where ($2::timestamptz is null or page.opened_at >= $2) and ($3::timestamptz is null or page.opened_at < $3)
    and ($4::text is null or page.name = $4) and ($5::text is null or page.policy = $5) and (page.again > 0) = $6
group by 1, 2, 3, 4;

-- name: find_minimum_group
-- The smallest group that any policy lets be shown.
select coalesce(max(minimum_group), 5) from scoring.policy;

-- name: measure_satisfaction
-- The satisfied share of each survey's valid answers since a moment, of those who were not asked again.
select response.name, avg(response.satisfied::integer)::double precision as ratio
from scoring.response
join scoring.page using (survey)
where response.answered_at > $1 and response.validity = 'valid' and response.satisfied is not null and page.again = 0
group by response.name;

-- name: forget_origins
-- Forgets from where answers came that are older than a moment.
update scoring.response_version set origin = null where origin is not null and answered_at < $1;
