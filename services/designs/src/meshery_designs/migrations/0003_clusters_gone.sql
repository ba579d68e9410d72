-- A run that is under way when its connection is deleted must not note objects in it afterwards.

create table clusters_gone (
    connection_id uuid primary key,
    organization_id uuid not null,
    gone_at timestamptz not null default now()
);
comment on table clusters_gone is 'Connections that were deleted for good: nobody can undeploy anything there any more.';
alter table clusters_gone enable row level security;
alter table clusters_gone force row level security;
create policy organization on clusters_gone
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
