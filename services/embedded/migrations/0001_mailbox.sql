-- The mailbox of embedded mode: every message that left, as its reader would have it. In clear, as on a reader's own device.

call services.furnish('mailbox');

create table mailbox.message (
    id        uuid primary key,
    position  bigint generated always as identity unique,
    channel   text not null check (channel in ('email', 'sms')),
    recipient text not null,
    sender    text not null,
    subject   text,
    text      text not null,
    html      text,
    links     text[] not null,
    reference text,
    sent_at   timestamptz not null,
    check (channel = 'email' or (subject is null and html is null))
);

-- The SMS gateway answers a repeated reference with the message that it has sent already. Mail servers do no such thing.
create unique index message_sms_reference on mailbox.message (reference) where channel = 'sms';

create index message_recipient on mailbox.message (recipient, position) where channel = 'sms';
