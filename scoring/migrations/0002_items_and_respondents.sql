-- A survey may ask some items only, and figures are broken down by what the register told of who was asked.

alter table scoring.page
    add column items      text[] not null default '{}',
    add column respondent jsonb not null default '{}';
