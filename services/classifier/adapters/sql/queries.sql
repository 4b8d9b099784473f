-- name: decision_on
-- A part of a report that came again.
select decision
from reports
where tenant = $1 and report_key = $2 and part = $3

-- name: verdict_on
-- The same bytes, come in an equally trusted way, judged by the rules in force.
select verdict
from messages
where
    tenant = $1
    and message_key = $2
    and original_sha256 = $3
    and receiver_trusted = $4
    and rules_version = $5

-- name: lock_message
-- Reports of one message are entered one after the other, so that each sees the gravest verdict.
select pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))

-- name: verdicts_on_message
-- All variants of the message that have been judged.
select verdict
from messages
where tenant = $1 and message_key = $2

-- name: keep_verdict
-- A variant judged again by newer rules has the newer verdict.
insert into messages (
    tenant, message_key, original_sha256, receiver_trusted, verdict, disposition, rules_version
)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (tenant, message_key, original_sha256, receiver_trusted) do update
set verdict = excluded.verdict,
    disposition = excluded.disposition,
    rules_version = excluded.rules_version

-- name: keep_decision
-- The lock above makes sure that nobody else enters the same part.
insert into reports (tenant, report_key, part, message_key, decision)
values ($1, $2, $3, $4, $5)
