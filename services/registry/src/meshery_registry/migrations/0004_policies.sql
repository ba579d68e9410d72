-- Policies: those that models bring along, which nobody changes, and those that an organisation has switched on or
-- could. The table of the first schema was never written to.

drop table policies;

create table policies (
    organization_id uuid not null,
    id uuid not null,
    model_id uuid not null,
    model_name text not null,
    name text not null,
    sort_name text not null generated always as (lower(name)) stored,
    language text not null
        constraint policies_language_check check (language in ('cel', 'rego')),
    source text not null default '',
    definition jsonb not null,
    content_hash bytea not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id),
    foreign key (organization_id, model_id) references models (organization_id, id)
);
comment on table policies is 'Rules over designs that models bring along: read and exported, in force only as an organisation''s own copy.';
comment on column policies.id is 'Made from model, language and name.';
comment on column policies.source is 'The text, byte for byte.';
create index policies_sort_name on policies (sort_name, id, organization_id);
create index policies_organization_model on policies (organization_id, model_id);
alter table policies enable row level security;
alter table policies force row level security;
create policy organization on policies
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy shipped on policies for select using (organization_id = '00000000-0000-0000-0000-000000000000');

create table own_policies (
    id uuid primary key,
    organization_id uuid not null,
    name text not null,
    state text not null default 'draft'
        constraint own_policies_state_check check (state in ('draft', 'enabled', 'disabled')),
    enforcement text not null default 'enforce'
        constraint own_policies_enforcement_check check (enforcement in ('enforce', 'warn')),
    version integer not null,
    active_version integer,
    definition_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint own_policies_name_unique unique (organization_id, name),
    constraint own_policies_active_check check ((state = 'enabled') = (active_version is not null))
);
comment on table own_policies is 'The policies of organisations.';
comment on column own_policies.name is 'Of the newest version.';
comment on column own_policies.version is 'The newest one.';
comment on column own_policies.definition_id is 'The policy of a model that it began as a copy of.';
create index own_policies_enabled on own_policies (organization_id, name) where state = 'enabled';
alter table own_policies enable row level security;
alter table own_policies force row level security;
create policy organization on own_policies
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

create table policy_versions (
    policy_id uuid not null references own_policies (id) on delete cascade,
    version integer not null,
    organization_id uuid not null,
    name text not null,
    language text not null,
    document jsonb not null,
    source text not null default '',
    user_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (policy_id, version)
);
comment on table policy_versions is 'Every saved version with its tests; none is ever changed.';
alter table policy_versions enable row level security;
alter table policy_versions force row level security;
create policy organization on policy_versions
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
