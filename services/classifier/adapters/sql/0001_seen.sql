-- The gravest verdict on each message of a tenant. Forks of one message share its key, not always
-- its bytes, so each variant that was judged has a row.
create table messages (
    tenant text not null,
    message_key text not null,
    original_sha256 text not null,
    receiver_trusted boolean not null,
    verdict jsonb not null,
    disposition text not null,
    rules_version text not null,
    first_seen_at timestamptz not null default clock_timestamp(),
    primary key (tenant, message_key, original_sha256, receiver_trusted)
);

-- What was decided on each part of each report: a redelivery announces exactly this again.
create table reports (
    tenant text not null,
    report_key text not null,
    part integer not null,
    message_key text not null,
    decision jsonb not null,
    decided_at timestamptz not null default clock_timestamp(),
    primary key (tenant, report_key, part)
);

create index reports_by_message on reports (tenant, message_key);

grant usage on schema classifier to undeliver_cli;
grant select on messages, reports to undeliver_cli;
