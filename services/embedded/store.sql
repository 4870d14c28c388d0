-- name: insert_message
-- Keeps a message that arrived; nothing comes back for an SMS whose reference is there already.
insert into mailbox.message (id, channel, recipient, sender, subject, text, html, links, reference, sent_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (reference) where channel = 'sms' do nothing
returning id;

-- name: find_sms
-- The SMS that was sent under a reference.
select id from mailbox.message where channel = 'sms' and reference = $1;

-- name: list_messages
-- All messages, whole, oldest first.
select id, channel, recipient, sender, subject, text, html, links, sent_at
from mailbox.message
order by sent_at, position;

-- name: list_newest
-- A page of the list, newest first: messages before a position, with the beginning of their text.
select id, position, channel, recipient, subject, left(text, 200) as text, sent_at
from mailbox.message
where position < $1
order by position desc
limit $2;

-- name: count_messages
-- How many messages have arrived, by channel.
select count(*) filter (where channel = 'email') as email, count(*) filter (where channel = 'sms') as sms
from mailbox.message;

-- name: find_message
-- One message, whole.
select id, channel, recipient, sender, subject, text, html, links, sent_at
from mailbox.message
where id = $1;

-- name: list_conversation
-- The SMS to the same number, oldest first: the newest fifty.
select id, channel, recipient, sender, subject, text, html, links, sent_at
from (
    select * from mailbox.message
    where channel = 'sms' and recipient = $1
    order by position desc
    limit 50
) as newest
order by position;

-- name: find_survey_link
-- The link of the newest message that leads to a survey; the survey's own stands first among a message's links.
select links[1] from mailbox.message where links[1] like '%/s/%' order by position desc limit 1;
