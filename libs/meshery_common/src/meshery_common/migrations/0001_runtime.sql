-- The runtime's own tables, in every service's schema.
--
-- Row-level security, to copy in a service's migration for every table whose rows belong to an organisation:
--
--     alter table designs enable row level security;
--     alter table designs force row level security;
--     create policy organization on designs
--         using (organization_id = (select current_organization()) or (select in_every_organization()))
--         with check (organization_id = (select current_organization()) or (select in_every_organization()));
--
-- and for a table whose published rows everybody may read, one more policy, which only widens reading:
--
--     create policy published on designs for select using (visibility = 'published');
--
-- The policy is the second wall: statements name the organisation themselves as well, because PostgreSQL cannot
-- use an index through the `or`. `select` around the functions makes them run once per statement, not per row.

create or replace function current_organization() returns uuid
    language sql stable parallel safe
    return nullif(nullif(current_setting('meshery.organization', true), ''), '*')::uuid;
comment on function current_organization is 'The organisation whose rows this session may see; null: none, or all.';

create or replace function in_every_organization() returns boolean
    language sql stable parallel safe
    return coalesce(current_setting('meshery.organization', true) = '*', false);
comment on function in_every_organization is 'Whether this session works for all organisations: relays and workers.';


create table outbox (
    id bigint generated always as identity primary key,
    message_id uuid not null,
    subject text not null,
    headers jsonb not null default '{}',
    payload bytea not null,
    created_at timestamptz not null default now(),
    published_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, fillfactor = 85);
comment on table outbox is
    'Facts, written in the transaction of the change they tell of; the relay publishes them. Kept 7 days.';
comment on column outbox.message_id is 'Nats-Msg-Id: the broker and the consumers drop what they have seen.';
comment on column outbox.headers is 'Message headers: the trace context of the change.';
comment on column outbox.published_at is 'When the broker acknowledged it; null: not yet.';
create index outbox_unpublished on outbox (id) where published_at is null;
create index outbox_published_at on outbox (published_at) where published_at is not null;


create table inbox (
    consumer text not null,
    message_id uuid not null,
    received_at timestamptz not null default now(),
    primary key (consumer, message_id)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1);
comment on table inbox is
    'Messages that a consumer has taken in, written with their effect: a repeat has none. Kept 14 days.';
create index inbox_received_at on inbox (received_at);


create table idempotency_keys (
    user_id uuid not null,
    organization_id uuid not null,
    key text not null,
    fingerprint bytea not null,
    answer bytea,
    created_at timestamptz not null default now(),
    primary key (user_id, organization_id, key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
comment on table idempotency_keys is
    'Commands done and what they were answered with, written in their own transaction. Kept 24 hours.';
comment on column idempotency_keys.key is 'Chosen by the client, so it counts only for the same person.';
comment on column idempotency_keys.fingerprint is 'Hash of subject and payload: another request under the same key is refused.';
comment on column idempotency_keys.answer is 'The reply, byte by byte; null only while the command is being done.';
create index idempotency_keys_created_at on idempotency_keys (created_at);


create table leases (
    name text primary key,
    holder uuid not null,
    fence bigint not null,
    expires_at timestamptz not null,
    acquired_at timestamptz not null default now()
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
comment on table leases is 'Who alone may do something now. Rows stay after release, so that a fence is never given twice.';
comment on column leases.fence is 'Grows with every new holder; what a former holder still writes is refused by it.';
comment on column leases.expires_at is 'By the clock of this database.';


create table operations (
    operation_id uuid primary key,
    kind text not null,
    organization_id uuid not null,
    user_id uuid not null,
    subject_id uuid,
    status text not null default 'queued'
        constraint operations_status_check
        check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    input jsonb not null default '{}',
    state jsonb,
    result jsonb,
    problem jsonb,
    attempt integer not null default 0,
    holder uuid,
    fence bigint not null default 0,
    available_at timestamptz default now(),
    cancel_requested_at timestamptz,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint operations_finished_check
        check ((status in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null and available_at is null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
comment on table operations is 'Work that outlasts a request: resumed by another worker when its worker is lost.';
comment on column operations.kind is 'Names the handler, e.g. deploy_design.';
comment on column operations.user_id is 'On whose behalf it runs; a worker asks for his rights again before each step.';
comment on column operations.subject_id is 'The object it works on, where there is one.';
comment on column operations.state is 'The last checkpoint: where the next attempt goes on.';
comment on column operations.problem is 'Why it failed: a Problem of the contracts.';
comment on column operations.attempt is 'How often a worker has begun with it.';
comment on column operations.fence is 'Grows with every claim; a worker that lost the operation can no longer write.';
comment on column operations.available_at is
    'When a worker may claim it: when queued its time, when running the end of the holder''s lease; null: finished.';
create index operations_available on operations (available_at) where finished_at is null;
create index operations_organization on operations (organization_id, created_at desc, operation_id);
create index operations_subject on operations (subject_id, created_at desc) where subject_id is not null;
create index operations_finished_at on operations (finished_at) where finished_at is not null;
alter table operations enable row level security;
alter table operations force row level security;
create policy organization on operations
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));


create table grants (
    object_id uuid not null,
    object_kind text not null,
    organization_id uuid not null,
    actor_kind text not null
        constraint grants_actor_kind_check check (actor_kind in ('user', 'team', 'organization')),
    actor_id uuid not null,
    access text not null
        constraint grants_access_check check (access in ('viewer', 'editor', 'operator')),
    expires_at timestamptz,
    granted_by uuid not null,
    created_at timestamptz not null default now(),
    primary key (object_id, actor_kind, actor_id)
);
comment on table grants is 'What owners let others do with single objects of this service.';
comment on column grants.access is 'viewer reads, editor changes as well, operator also runs and deploys.';
create index grants_actor on grants (actor_id, object_id);
create index grants_expires_at on grants (expires_at) where expires_at is not null;
alter table grants enable row level security;
alter table grants force row level security;
create policy organization on grants
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));


create table memberships (
    workspace_id uuid not null,
    object_id uuid not null,
    object_kind text not null,
    organization_id uuid not null,
    added_by uuid not null,
    created_at timestamptz not null default now(),
    primary key (workspace_id, object_id)
);
comment on table memberships is 'Which workspaces the objects of this service are in; workspaces belong to identity.';
create index memberships_object on memberships (object_id, workspace_id);
alter table memberships enable row level security;
alter table memberships force row level security;
create policy organization on memberships
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
