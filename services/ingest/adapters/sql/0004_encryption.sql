-- How the first arrival was encrypted; null: in the clear, or before this was noted.
alter table report_keys
add column tls_version text,
add column tls_cipher text;
