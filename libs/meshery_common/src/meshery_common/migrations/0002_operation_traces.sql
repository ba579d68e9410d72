alter table operations add column headers jsonb not null default '{}';
comment on column operations.headers is 'The trace context of the command that asked for it, as message headers.';
