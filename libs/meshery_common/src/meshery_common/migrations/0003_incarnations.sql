alter table leases add column incarnation text not null default '';
comment on column leases.incarnation is
    'The process of the holder: who runs beside it sees when it is dead, and need not wait. Empty: not known.';

alter table operations add column incarnation text not null default '';
comment on column operations.incarnation is
    'The process of the holder: who runs beside it sees when it is dead, and need not wait. Empty: not known.';
