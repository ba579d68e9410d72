-- Designs, their versions, and what deployment runs did.

create table designs (
    id uuid primary key,
    organization_id uuid not null,
    owner_id uuid not null,
    name text not null
        constraint designs_name_check check (length(name) between 1 and 255),
    visibility text not null default 'private'
        constraint designs_visibility_check check (visibility in ('private', 'public', 'published')),
    design_type text not null,
    file text not null,
    version integer not null,
    location jsonb not null default '{}',
    catalog_data jsonb not null default '{}',
    source_content bytea,
    view_count bigint not null default 0,
    share_count bigint not null default 0,
    download_count bigint not null default 0,
    clone_count bigint not null default 0,
    deployment_count bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
comment on table designs is 'Designs with their newest file; deleted ones keep their versions.';
comment on column designs.file is 'The whole file of the newest version, JSON: what a read hands on.';
comment on column designs.version is 'Counts saves, from 1.';
create index designs_organization_updated_at on designs (organization_id, updated_at desc, id) where deleted_at is null;
create index designs_organization_created_at on designs (organization_id, created_at desc, id) where deleted_at is null;
create index designs_organization_name on designs (organization_id, lower(name), id) where deleted_at is null;
create index designs_published on designs (updated_at desc, id) where visibility = 'published' and deleted_at is null;
alter table designs enable row level security;
alter table designs force row level security;
create policy organization on designs
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy published on designs for select using (visibility = 'published');

create table design_versions (
    design_id uuid not null references designs (id) on delete cascade,
    version integer not null,
    organization_id uuid not null,
    name text not null,
    shell bytea not null,
    component_hashes bytea[] not null,
    user_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (design_id, version)
);
comment on table design_versions is 'Every saved version: the file without its components, and the hashes of those.';
alter table design_versions enable row level security;
alter table design_versions force row level security;
create policy organization on design_versions
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

create table component_bodies (
    organization_id uuid not null,
    hash bytea not null,
    body bytea not null,
    primary key (organization_id, hash)
);
comment on table component_bodies is 'Components by content: what two versions share is stored once.';
alter table component_bodies enable row level security;
alter table component_bodies force row level security;
create policy organization on component_bodies
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

create table run_objects (
    run_id uuid not null references operations (operation_id) on delete cascade,
    position integer not null,
    organization_id uuid not null,
    connection_id uuid not null,
    connection_name text not null,
    component_id uuid,
    component_name text not null,
    model text not null default '',
    api_version text not null,
    kind text not null,
    namespace text not null,
    name text not null,
    wave integer not null,
    delete boolean not null,
    content jsonb,
    uid text not null default '',
    state text not null,
    message text not null default '',
    problem jsonb,
    updated_at timestamptz not null default now(),
    primary key (run_id, position)
) with (fillfactor = 70);
comment on table run_objects is 'What a run has to do, object by object, and how far it got.';
comment on column run_objects.content is 'The object to apply; null for one that is deleted.';
alter table run_objects enable row level security;
alter table run_objects force row level security;
create policy organization on run_objects
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

create table deployed_objects (
    design_id uuid not null,
    connection_id uuid not null,
    api_version text not null,
    kind text not null,
    namespace text not null,
    name text not null,
    organization_id uuid not null,
    uid text not null,
    component_id uuid,
    component_name text not null,
    wave integer not null,
    version integer not null,
    applied_at timestamptz not null default now(),
    primary key (design_id, connection_id, kind, api_version, namespace, name)
);
comment on table deployed_objects is 'What a design has put into a cluster: the only objects that it may remove again.';
alter table deployed_objects enable row level security;
alter table deployed_objects force row level security;
create policy organization on deployed_objects
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
