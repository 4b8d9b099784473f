-- Until when a mailbox wants to be left alone, whatever new work it is given meanwhile.
alter table mailboxes add column paused_until timestamptz;
