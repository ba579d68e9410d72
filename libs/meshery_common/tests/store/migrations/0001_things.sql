-- A table as a service would have it.
create table things (
    thing_id uuid primary key,
    organization_id uuid not null,
    owner_id uuid not null,
    visibility text not null default 'private',
    name text not null,
    count integer not null default 0 constraint things_count_check check (count >= 0),
    body jsonb not null default '{}',
    updated_at timestamptz not null default now(),
    constraint things_name_key unique (organization_id, name)
);
alter table things enable row level security;
alter table things force row level security;
create policy organization on things
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy published on things for select using (visibility = 'published');
