alter table operations add column crashes integer not null default 0;
comment on column operations.crashes is
    'How often its worker was lost; attempts that ended with a problem are not among them.';
