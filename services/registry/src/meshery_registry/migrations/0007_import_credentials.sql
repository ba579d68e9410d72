-- Credentials of private sources, for as long as an import needs them.

alter table import_orders add column sealed_authorization bytea;
comment on column import_orders.sealed_authorization is
    'What a private source wants to see, sealed under the master key; forgotten once the source is fetched.';
