-- Connections, the sealed credentials for them, and what is known of their clusters.

create table data_keys (
    organization_id uuid not null,
    version integer not null,
    master_key_id text not null,
    wrapped bytea not null,
    created_at timestamptz not null default now(),
    primary key (organization_id, version)
);
comment on table data_keys is 'What the secrets of an organisation are sealed with, wrapped by a master key.';
comment on column data_keys.master_key_id is 'Names the master key; it lies in a file, never here.';
create index data_keys_master_key_id on data_keys (master_key_id);
alter table data_keys enable row level security;
alter table data_keys force row level security;
create policy organization on data_keys
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

create table credentials (
    id uuid primary key,
    organization_id uuid not null,
    owner_id uuid not null,
    name text not null,
    type text not null,
    sealed bytea not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table credentials is 'Secrets, as ciphertext only. A deleted one is gone, not marked.';
comment on column credentials.sealed is 'Format, data key version, nonce, AES-256-GCM ciphertext; bound to this row.';
create index credentials_organization on credentials (organization_id, id);
alter table credentials enable row level security;
alter table credentials force row level security;
create policy organization on credentials
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

create table connections (
    id uuid primary key,
    organization_id uuid not null,
    owner_id uuid not null,
    name text not null
        constraint connections_name_check check (length(name) between 1 and 255),
    kind text not null,
    type text not null,
    sub_type text not null,
    status text not null
        constraint connections_status_check check (status in (
            'discovered', 'registered', 'connected', 'ignored', 'maintenance', 'disconnected', 'deleted', 'not found')),
    server text not null default '',
    context_name text not null default '',
    own_context text,
    cluster_id text,
    credential_id uuid
        constraint connections_credential_id_fkey references credentials (id) on delete set null,
    metadata jsonb not null default '{}',
    meshsync_mode text not null default 'embedded',
    revision integer not null default 1,
    reachable boolean not null default false,
    health text not null default 'unknown',
    health_message text not null default '',
    health_since timestamptz,
    discovery jsonb not null default '{}',
    components jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    constraint connections_deleted_check check ((status = 'deleted') = (deleted_at is not null))
) with (fillfactor = 80);
comment on table connections is 'What we are connected to, or could be. Deleted ones stay as rows without credential.';
comment on column connections.own_context is
    'The context of this machine''s own kubeconfig that it stands for; its credential stays in that file.';
comment on column connections.cluster_id is 'uid of namespace kube-system: the same cluster is not connected twice.';
comment on column connections.revision is 'Counts changes of address and credential: clients made before are replaced.';
comment on column connections.discovery is 'How MeshSync''s watch of the cluster stands.';
comment on column connections.components is 'What was registered of the cluster''s kinds, and what failed.';
create unique index connections_cluster on connections (organization_id, owner_id, cluster_id)
    where deleted_at is null and cluster_id is not null;
create unique index connections_own_context on connections (organization_id, own_context)
    where own_context is not null;
create index connections_organization_updated_at on connections (organization_id, updated_at desc, id)
    where deleted_at is null;
create index connections_organization_name on connections (organization_id, lower(name), id) where deleted_at is null;
create index connections_organization_status on connections (organization_id, status, id) where deleted_at is null;
create index connections_connected on connections (id) where status = 'connected' and kind = 'kubernetes';
alter table connections enable row level security;
alter table connections force row level security;
create policy organization on connections
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

create table openapi_documents (
    connection_id uuid not null references connections (id) on delete cascade,
    group_version text not null,
    organization_id uuid not null,
    hash text not null,
    registered_at timestamptz not null default now(),
    primary key (connection_id, group_version)
);
comment on table openapi_documents is 'Which document of each group version the registry has learned last.';
alter table openapi_documents enable row level security;
alter table openapi_documents force row level security;
create policy organization on openapi_documents
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
