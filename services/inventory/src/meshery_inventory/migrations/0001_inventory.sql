-- What every connected cluster holds. A cache: dropping these tables and starting again rebuilds them.

create table clusters (
    connection_id uuid primary key,
    organization_id uuid not null,
    cluster_id text not null default '',
    status text not null default '',
    session bigint not null default 0,
    reported_at timestamptz,
    removed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table clusters is 'Clusters that report, by the connection to them; from agents and from the facts of connections.';
comment on column clusters.cluster_id is 'uid of namespace kube-system; empty while it is not known.';
comment on column clusters.status is 'Status of the connection, as its last fact said; empty before the first.';
comment on column clusters.session is 'Number of the session whose frames are taken; 0: no agent of ours reports.';
comment on column clusters.reported_at is 'When an agent of ours last opened a session or compared digests.';
comment on column clusters.removed_at is 'The connection was deleted: nothing is taken any more.';
create index clusters_organization on clusters (organization_id, connection_id);
create index clusters_cluster_id on clusters (cluster_id) where removed_at is null;
alter table clusters enable row level security;
alter table clusters force row level security;
create policy organization on clusters
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));


create table kinds (
    connection_id uuid not null,
    token text not null,
    organization_id uuid not null,
    api_version text not null,
    kind text not null,
    position bigint not null default 0,
    floor bigint not null default 0,
    primary key (connection_id, token)
) with (fillfactor = 50);
comment on table kinds is 'How far each kind of each cluster has arrived. Its row is locked while its objects are written.';
comment on column kinds.position is 'The highest position of a frame that was stored.';
comment on column kinds.floor is 'Where the last complete epoch began: nothing older is taken or kept.';
alter table kinds enable row level security;
alter table kinds force row level security;
create policy organization on kinds
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));


-- Two tables, because lists, counts and comparisons read the narrow one only: half the time of one table with the
-- documents in it. Documents are text, because they are handed on as text: jsonb takes twice as long to write.
create table resources (
    resource_id uuid primary key,
    connection_id uuid not null,
    organization_id uuid not null,
    api_version text not null,
    kind text not null,
    namespace text not null,
    name text not null,
    uid text not null,
    resource_version text not null,
    created_at timestamptz,
    labels jsonb not null,
    owner_uids text[] not null,
    digest bigint not null,
    position bigint not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
comment on table resources is 'One row per object of a cluster: what lists and counts need.';
comment on column resources.resource_id is 'Hash of connection, cluster, kind, apiVersion, namespace and name: an object that was made again keeps it.';
comment on column resources.created_at is 'creationTimestamp of the object.';
comment on column resources.owner_uids is 'uids of metadata.ownerReferences.';
comment on column resources.digest is '8 bytes over the object as it was sent.';
comment on column resources.position is 'Of the frame that brought it: what has a lower one is passed over.';
create index resources_kind on resources (connection_id, kind, api_version);
create index resources_list on resources (organization_id, kind, namespace);
create index resources_names on resources (organization_id, name, resource_id);
create index resources_uid on resources (uid);
create index resources_owners on resources using gin (owner_uids) where owner_uids <> '{}';
create index resources_labels on resources using gin (labels jsonb_path_ops);
create index resources_name_search on resources using gin (name gin_trgm_ops);
alter table resources enable row level security;
alter table resources force row level security;
create policy organization on resources
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));


create table documents (
    resource_id uuid primary key,
    organization_id uuid not null,
    metadata text not null,
    spec text,
    status text,
    rest text
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
comment on table documents is 'The objects themselves, as JSON text; one row for each of resources.';
comment on column documents.rest is 'Top-level fields beside metadata, spec and status, as a JSON object; null: there are none.';
alter table documents enable row level security;
alter table documents force row level security;
create policy organization on documents
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));


create table tombstones (
    connection_id uuid not null,
    uid text not null,
    organization_id uuid not null,
    position bigint not null,
    buried_at timestamptz not null default now(),
    primary key (connection_id, uid)
) with (autovacuum_vacuum_scale_factor = 0.05);
comment on table tombstones is 'Objects that are gone: a frame that comes late must not bring them back. Kept an hour.';
create index tombstones_buried_at on tombstones (buried_at);
alter table tombstones enable row level security;
alter table tombstones force row level security;
create policy organization on tombstones
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
