-- What happened, as facts told it, and what each person has read or put away.

create table installations (
    id uuid primary key default gen_random_uuid(),
    single boolean not null default true
        constraint installations_single_unique unique constraint installations_single_check check (single),
    created_at timestamptz not null default now()
);
comment on table installations is 'One row: the id that tells this installation''s events from those of another.';
insert into installations default values;

create table events (
    id uuid primary key,
    organization_id uuid not null,
    user_id uuid,
    actor text not null default '',
    acted_upon uuid not null,
    operation_id uuid not null,
    severity text not null
        constraint events_severity_check check (severity in
            ('alert', 'critical', 'debug', 'emergency', 'error', 'informational', 'success', 'warning')),
    category text not null,
    action text not null,
    description text not null,
    metadata jsonb not null default '{}',
    source text not null default '',
    created_at timestamptz not null,
    stored_at timestamptz not null default now()
);
comment on table events is 'Rows are added and, when they are old, removed; nobody changes one. Marks of people are beside.';
comment on column events.id is 'The id of the message that told it: a repeat is the same row.';
comment on column events.user_id is 'Whose doing it was; null: nobody''s in particular, for the whole organisation to see.';
comment on column events.acted_upon is 'The nil id when it is about nothing in particular.';
comment on column events.created_at is 'When it happened; stored_at says when it came here.';
comment on column events.source is 'The subject that it came on; empty when a client reported it.';
create index events_organization_created_at on events (organization_id, created_at desc, id desc);
create index events_organization_user_created_at on events (organization_id, user_id, created_at desc, id desc);
create index events_organization_acted_upon on events (organization_id, acted_upon, created_at desc);
create index events_organization_operation on events (organization_id, operation_id, created_at desc);
create index events_stored_at on events (stored_at);

create table event_marks (
    user_id uuid not null,
    event_id uuid not null references events (id) on delete cascade,
    organization_id uuid not null,
    read boolean not null default false,
    removed boolean not null default false,
    updated_at timestamptz not null default now(),
    primary key (user_id, event_id)
);
comment on table event_marks is
    'What a person has read or removed from his list. Others still see it, and the audit log keeps it.';
create index event_marks_event on event_marks (event_id);

create table event_types (
    organization_id uuid not null,
    category text not null,
    action text not null,
    primary key (organization_id, category, action)
);
comment on table event_types is 'The categories and actions that have occurred: asked for with every look at the list.';

alter table events enable row level security;
alter table events force row level security;
create policy organization on events
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table event_marks enable row level security;
alter table event_marks force row level security;
create policy organization on event_marks
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table event_types enable row level security;
alter table event_types force row level security;
create policy organization on event_types
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

-- Without `force`: the owner wrote the one row above; the app role may only read it.
alter table installations enable row level security;
create policy everybody on installations for select using (true);
