-- After the tables were lost, what an agent sent before is gone, and asking it to wait for it would be in vain.

alter table clusters add column adopted boolean not null default false;
comment on column clusters.adopted is 'The session began before these tables did: frames of it were lost with the former ones.';
