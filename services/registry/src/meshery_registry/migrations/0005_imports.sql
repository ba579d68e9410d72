-- Imports: what was asked for and fetched while one goes on, and the report, which stays as long as the operation.

create table import_orders (
    import_id uuid primary key references operations (operation_id) on delete cascade,
    organization_id uuid not null,
    request bytea not null
);
comment on table import_orders is
    'What was asked for, with addresses as they were written; forgotten when the import ends.';

create table import_files (
    import_id uuid not null references operations (operation_id) on delete cascade,
    position integer not null,
    organization_id uuid not null,
    name text not null,
    body bytea not null,
    primary key (import_id, position)
);
comment on table import_files is
    'What was uploaded or fetched: an import that another worker takes over reads the very same; forgotten at its end.';
alter table import_files alter column body set storage external;

create table import_entries (
    import_id uuid not null references operations (operation_id) on delete cascade,
    position integer not null,
    id uuid not null default gen_random_uuid(),
    organization_id uuid not null,
    entity_type text not null,
    name text not null,
    model text not null default '',
    model_version text not null default '',
    outcome text not null
        constraint import_entries_outcome_check check (outcome in ('added', 'updated', 'unchanged', 'refused')),
    reason text not null default '',
    place text not null default '',
    remedy text not null default '',
    primary key (import_id, position)
);
comment on column import_entries.id is 'For cursors of lists.';
comment on table import_entries is 'What became of each entity of an import, in the order of the work.';


alter table import_orders enable row level security;
alter table import_orders force row level security;
create policy organization on import_orders
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table import_files enable row level security;
alter table import_files force row level security;
create policy organization on import_files
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table import_entries enable row level security;
alter table import_entries force row level security;
create policy organization on import_entries
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
