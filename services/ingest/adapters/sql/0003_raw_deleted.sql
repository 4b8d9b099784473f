-- When the raw mail was deleted because its tenant's time was over; null: it is in the store.
alter table report_keys add column raw_deleted_at timestamptz;

-- What is overdue is found without looking at what is not.
create index report_keys_kept on report_keys (tenant, received_at) where raw_deleted_at is null;
