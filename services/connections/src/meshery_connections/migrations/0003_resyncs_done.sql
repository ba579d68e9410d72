alter table connections add column resyncs_done integer not null default 0;
comment on column connections.resyncs_done is 'Up to which of them it was passed on to who watches the cluster.';
