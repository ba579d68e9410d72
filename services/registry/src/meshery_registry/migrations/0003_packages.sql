-- What packages bring beside what clusters teach: whole definitions with styles, icons and relationships, a switch for
-- each of them per organisation, and a place apart for what an unproven registrant sends.
--
-- An entity of a package keeps its id when its content changes: the id is made of what names it, and `content_hash`
-- tells whether it is the same. What a cluster teaches has no hash: another schema is another component.
--
-- Search looks for parts of words in `search_text`. No trigram index: LIKE is not leakproof, so under row-level
-- security PostgreSQL filters before it; the index with the text itself is read instead of the table.

alter table generations add column contents_digest text not null default '';
comment on column generations.contents_digest is 'Of what ships with us, as it was stored last; in the row of the nil organisation.';

comment on table registrants is 'Who registered something: connections, and sources that have an id made of kind and name.';

alter table models
    add column definition_version text not null default 'v1.0.0',
    add column content_hash bytea,
    add column icons text[] not null default '{}',
    add column search_text text not null
        generated always as (lower(left(name, 250) || ' ' || left(display_name, 250))) stored;
comment on column models.definition_version is 'Of this description, not of the software.';
comment on column models.content_hash is 'Of the description as its author wrote it; null when a cluster taught it.';
comment on column models.icons is 'Hashes of the icons that `metadata` names.';
create index models_registrant on models (organization_id, registrant_id);
create index models_not_enabled on models (organization_id, id) where status <> 'enabled';

alter table components
    alter column schema_hash drop not null,
    add column definition_version text not null default 'v1.0.0',
    add column content_hash bytea,
    add column styles jsonb not null default '{}',
    add column capabilities jsonb not null default '[]',
    add column configuration jsonb not null default '{}',
    add column icons text[] not null default '{}',
    add column search_text text not null generated always as (
        lower(left(kind, 150) || ' ' || left(display_name, 150) || ' ' || left(model_name, 150))) stored;
comment on column components.schema_hash is 'Null for what has no schema: annotations.';
comment on column components.styles is 'Colours, shape and icon addresses; when empty those of what ships with us hold.';
comment on column components.configuration is 'What a new component of this kind begins with.';
create index components_search on components (organization_id, search_text, status, model_id, id);

comment on column registrations.group_version is
    'The part of what a registrant registers: a group version of a cluster, or `model <id>`.';
comment on column registrations.fingerprint is 'Of the whole request or package: the same again needs no reading.';
alter table registrations add column other_ids uuid[] not null default '{}';
comment on column registrations.other_ids is 'Relationships, policies and connection definitions.';

alter table relationships
    add column definition_version text not null default 'v1.0.0',
    add column content_hash bytea,
    add column icons text[] not null default '{}',
    add column search_text text not null generated always as (
        lower(left(kind, 100) || ' ' || left(type, 100) || ' ' || left(sub_type, 100) || ' ' || left(model_name, 250)))
        stored;
comment on column relationships.id is 'Made from model, kind, type, sub-type and the kinds that the selectors name.';
create index relationships_created_at on relationships (created_at, id, organization_id);
create index relationships_updated_at on relationships (updated_at, id, organization_id);

create table connection_definitions (
    organization_id uuid not null,
    id uuid not null,
    model_id uuid not null,
    model_name text not null,
    kind text not null,
    sort_name text not null generated always as (lower(kind)) stored,
    definition jsonb not null,
    content_hash bytea not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id),
    foreign key (organization_id, model_id) references models (organization_id, id)
);
comment on table connection_definitions is 'Kinds of connections that models bring along, kept as their documents.';
create index connection_definitions_sort_name on connection_definitions (sort_name, id, organization_id);
create index connection_definitions_organization_model on connection_definitions (organization_id, model_id);

create table icons (
    organization_id uuid not null,
    hash text not null,
    body text not null,
    primary key (organization_id, hash)
);
comment on table icons is 'SVG texts by content, cleaned before they were stored.';

create table statuses (
    organization_id uuid not null,
    id uuid not null,
    entity_type text not null,
    status text not null
        constraint statuses_status_check check (status in ('enabled', 'disabled', 'ignored', 'duplicate')),
    user_id uuid not null,
    updated_at timestamptz not null default now(),
    primary key (organization_id, id)
);
comment on table statuses is
    'What an organisation switched on or off, over what the definition says: it outlives new versions of the definition, and is the only way to switch what ships with us.';

create table quarantine (
    organization_id uuid not null,
    id uuid not null,
    registrant jsonb not null,
    received_from text not null,
    entity_type text not null,
    name text not null,
    kind text not null default '',
    api_version text not null default '',
    model_name text not null default '',
    model_version text not null default '',
    entity bytea not null,
    bytes integer not null,
    times integer not null default 1,
    received_at timestamptz not null default now(),
    primary key (organization_id, id)
);
comment on table quarantine is 'Definitions of registrants that proved nothing about themselves; nothing else reads them.';
comment on column quarantine.entity is 'The JSON text, deflated.';
alter table quarantine alter column entity set storage external;
create index quarantine_received_at on quarantine (organization_id, received_at, id);


alter table connection_definitions enable row level security;
alter table connection_definitions force row level security;
create policy organization on connection_definitions
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on connection_definitions
    for select using (organization_id = '00000000-0000-0000-0000-000000000000');

alter table icons enable row level security;
alter table icons force row level security;
create policy organization on icons
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on icons for select using (organization_id = '00000000-0000-0000-0000-000000000000');

alter table statuses enable row level security;
alter table statuses force row level security;
create policy organization on statuses
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table quarantine enable row level security;
alter table quarantine force row level security;
create policy organization on quarantine
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

create policy shipped on registrations for select using (organization_id = '00000000-0000-0000-0000-000000000000');
