-- After the tables were lost, what an agent sent before is gone, and asking it to wait for that would be in vain.

alter table clusters add column lost bigint not null default 0;
comment on column clusters.lost is 'Frames of the session up to this position were lost with former tables.';
