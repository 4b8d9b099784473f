-- Throttles say nothing about the work itself: they are counted apart from failures, and work is
-- given up only when it has failed for a while.
alter table searches add column throttles integer not null default 0;
alter table searches add column failing_since timestamptz;
alter table copies add column throttles integer not null default 0;
alter table copies add column failing_since timestamptz;
