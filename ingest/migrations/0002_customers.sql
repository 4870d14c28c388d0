-- The register of customers, and whose people the persons of the register are.

-- A customer as he was last said. Of a consumer nothing here is personal: his name is sealed with his contact.
create table ingest.customer (
    customer   text collate "C" primary key,
    -- `services.contracts.customers.CustomerFacts`.
    facts      jsonb not null,
    name       text,
    ended      boolean not null default false,
    version    integer not null default 1 check (version > 0),
    -- Business time; rises with every change of him or of his people.
    changed_at timestamptz not null,
    -- How many people he was said to have.
    people     integer not null default 0,
    said_at    timestamptz not null default clock_timestamp(),
    sayings    smallint not null default 1 check (sayings > 0),
    heard_at   timestamptz,
    check (name is null or facts ->> 'kind' = 'organisation')
);
create index customer_facts on ingest.customer using gin (facts jsonb_path_ops);
create index customer_unheard on ingest.customer (said_at) where heard_at is null;
create index customer_said on ingest.customer using brin (said_at);

-- What a person is at his customer's, for which projects (none: everywhere), and how he agreed to be asked.
alter table ingest.contact
    alter column customer type text collate "C",
    add column roles    text[] not null default '{}',
    add column projects text[] not null default '{}',
    add column consent  text[] not null default '{}';
create index contact_customer on ingest.contact (customer) where customer is not null;
