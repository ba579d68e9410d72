alter table connections add column resyncs integer not null default 0;
comment on column connections.resyncs is 'Counts how often somebody had the cluster read anew: its keeper sees that by it.';
