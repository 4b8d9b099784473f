-- What this service has been told: the first body of each message, by proved publisher and id.
create table inbox (
    publisher text not null,
    message_id text not null,
    body_sha256 bytea not null,
    first_seen_at timestamptz not null default now(),
    primary key (publisher, message_id)
);

create index inbox_by_age on inbox (first_seen_at);
