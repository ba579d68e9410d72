-- What can be designed, and where it was learned from.
--
-- What a cluster taught belongs to the organisation that connected it. What ships with us has the nil organisation and
-- is read by everybody. Ids are made from the content, so the same definition has one id in every organisation.
--
-- A list reads two organisations, the caller's and ours. No index that begins with the organisation gives the order
-- of both together, so the indexes for order end with it: PostgreSQL (from 17) walks them in order and tells by the
-- index alone whose a row is. Under row-level security an index serves conditions on plain columns only, hence the
-- generated `sort_name`.

create table generations (
    organization_id uuid primary key,
    generation bigint not null default 0,
    updated_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table generations is 'Counts the changes of an organisation''s registry; its row is the lock of whoever changes it.';

create table categories (
    id uuid primary key,
    name text not null constraint categories_name_unique unique,
    metadata jsonb not null default '{}'
);
comment on table categories is 'Meshery''s list, the same for everybody; changed by migrations only.';

create table registrants (
    organization_id uuid not null,
    connection_id uuid not null,
    kind text not null,
    name text not null,
    version text not null default '',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, connection_id)
);
comment on table registrants is 'The connections that definitions were learned from.';

create table models (
    organization_id uuid not null,
    id uuid not null,
    registrant_kind text not null,
    registrant_id uuid not null,
    name text not null,
    display_name text not null,
    sort_name text not null generated always as (lower(display_name)) stored,
    description text not null default '',
    model_version text not null,
    model_order bigint[] not null,
    category_id uuid not null references categories (id),
    sub_category text not null default 'Uncategorized',
    status text not null default 'enabled'
        constraint models_status_check check (status in ('enabled', 'ignored', 'duplicate')),
    annotation boolean not null default false,
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id)
);
comment on column models.id is 'Made from registrant kind, name and version.';
comment on column models.registrant_id is 'The connection that taught it first.';
comment on column models.model_version is 'Of the software that the model stands for.';
comment on column models.model_order is 'The version as numbers, for finding the newest.';
create index models_sort_name on models (sort_name, id, organization_id);
create index models_name on models (name, id, organization_id);
create index models_updated_at on models (updated_at, id, organization_id);
create index models_created_at on models (created_at, id, organization_id);
create index models_organization_name on models (organization_id, name, model_version);

create table schemas (
    organization_id uuid not null,
    hash text not null,
    body bytea not null,
    bytes integer not null,
    primary key (organization_id, hash)
);
comment on table schemas is 'JSON schemas by content: kinds that share one, over versions and clusters, share the row.';
comment on column schemas.body is 'The JSON text, deflated; PostgreSQL need not try again.';
alter table schemas alter column body set storage external;

create table components (
    organization_id uuid not null,
    id uuid not null,
    model_id uuid not null,
    model_name text not null,
    api_version text not null,
    kind text not null,
    display_name text not null,
    sort_name text not null generated always as (lower(display_name)) stored,
    description text not null default '',
    namespaced boolean not null,
    custom boolean not null,
    schema_hash text not null,
    schema_bytes integer not null,
    schema_usable boolean not null default true,
    status text not null default 'enabled'
        constraint components_status_check check (status in ('enabled', 'ignored', 'duplicate', 'resolved', 'open')),
    annotation boolean not null default false,
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id),
    foreign key (organization_id, model_id) references models (organization_id, id),
    foreign key (organization_id, schema_hash) references schemas (organization_id, hash)
);
comment on column components.id is 'Made from registrant kind, model, version, apiVersion, kind and schema.';
comment on column components.schema_bytes is
    'What the schema takes as a text inside of JSON: a list decides by it without reading schemas.';
comment on column components.schema_usable is 'False: the cluster''s schema could not be understood and one that allows all stands in.';
create index components_sort_name on components (sort_name, id, organization_id);
create index components_kind on components (kind, id, organization_id);
create index components_model_name on components (model_name, sort_name, id, organization_id);
create index components_updated_at on components (updated_at, id, organization_id);
create index components_created_at on components (created_at, id, organization_id);
create index components_organization_kind on components (organization_id, kind, api_version);
create index components_organization_model on components (organization_id, model_id, status);
create index components_organization_status on components (organization_id, status);
create index components_organization_schema on components (organization_id, schema_hash);

create table registrations (
    organization_id uuid not null,
    connection_id uuid not null,
    group_version text not null,
    model_id uuid not null,
    fingerprint bytea not null,
    component_ids uuid[] not null,
    registered_at timestamptz not null default now(),
    primary key (organization_id, connection_id, group_version)
);
comment on table registrations is 'What each cluster serves of each group version, as it was last told.';
comment on column registrations.fingerprint is 'Of the whole request: the same again needs no reading.';
create index registrations_organization_group_version on registrations (organization_id, group_version);

create table relationships (
    organization_id uuid not null,
    id uuid not null,
    model_id uuid not null,
    model_name text not null,
    kind text not null,
    type text not null,
    sub_type text not null,
    sort_name text not null generated always as (lower(kind || ' ' || type || ' ' || sub_type)) stored,
    status text not null default 'enabled',
    definition jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id),
    foreign key (organization_id, model_id) references models (organization_id, id)
);
comment on table relationships is 'How components may relate; none is shipped yet.';
create index relationships_sort_name on relationships (sort_name, id, organization_id);
create index relationships_organization_model on relationships (organization_id, model_id);

create table policies (
    organization_id uuid not null,
    id uuid not null,
    model_id uuid not null,
    model_name text not null,
    kind text not null,
    sort_name text not null generated always as (lower(kind)) stored,
    definition jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id),
    foreign key (organization_id, model_id) references models (organization_id, id)
);
comment on table policies is 'Rules over designs; none is shipped yet.';
create index policies_sort_name on policies (sort_name, id, organization_id);
create index policies_organization_model on policies (organization_id, model_id);


-- Without `force`: the owner, who migrates, may write; the app role may only read.
alter table categories enable row level security;
create policy everybody on categories for select using (true);

alter table generations enable row level security;
alter table generations force row level security;
create policy organization on generations
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on generations for select using (organization_id = '00000000-0000-0000-0000-000000000000');

alter table registrants enable row level security;
alter table registrants force row level security;
create policy organization on registrants
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on registrants for select using (organization_id = '00000000-0000-0000-0000-000000000000');

alter table models enable row level security;
alter table models force row level security;
create policy organization on models
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on models for select using (organization_id = '00000000-0000-0000-0000-000000000000');

alter table schemas enable row level security;
alter table schemas force row level security;
create policy organization on schemas
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on schemas for select using (organization_id = '00000000-0000-0000-0000-000000000000');

alter table components enable row level security;
alter table components force row level security;
create policy organization on components
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on components for select using (organization_id = '00000000-0000-0000-0000-000000000000');

alter table registrations enable row level security;
alter table registrations force row level security;
create policy organization on registrations
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table relationships enable row level security;
alter table relationships force row level security;
create policy organization on relationships
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on relationships for select using (organization_id = '00000000-0000-0000-0000-000000000000');

alter table policies enable row level security;
alter table policies force row level security;
create policy organization on policies
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on policies for select using (organization_id = '00000000-0000-0000-0000-000000000000');
