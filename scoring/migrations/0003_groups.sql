-- By what figures are grouped: one meaning for those who were asked and for those who answered.

create function scoring.group_of(
    wanted text, name text, policy text, moment timestamptz, timezone text, facts jsonb, respondent jsonb
) returns text
language sql immutable parallel safe
return (case
    when wanted = 'survey' then name
    when wanted = 'policy' then policy
    when wanted = 'week' then to_char(moment at time zone timezone, 'IYYY-"W"IW')
    when wanted = 'month' then to_char(moment at time zone timezone, 'YYYY-MM')
    when wanted = 'quarter' then to_char(moment at time zone timezone, 'YYYY-"Q"Q')
    when wanted = 'year' then to_char(moment at time zone timezone, 'YYYY')
    when wanted = 'role' then respondent -> 'roles' ->> 0
    when wanted = 'segment' then respondent -> 'segments' ->> 0
    when wanted in ('kind', 'tier', 'size', 'trade', 'grade', 'served_by') then respondent ->> wanted
    else facts ->> wanted
end);
