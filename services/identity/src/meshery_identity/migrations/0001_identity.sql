-- People, what they belong to, what they may do, and the tokens they carry.
--
-- Whoever signs in is looked up over all organisations; what lists one organisation's rows is walled in by
-- row-level security like in every other service.

create table users (
    user_id uuid primary key,
    provider text not null,
    username text not null,
    first_name text not null default '',
    last_name text not null default '',
    email text not null default '',
    avatar_url text not null default '',
    bio text not null default '',
    status text not null default 'active'
        constraint users_status_check check (status in ('active', 'inactive', 'pending', 'anonymous')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
comment on table users is 'People, one row per provider they come from.';
comment on column users.username is 'The name at the provider; `user_id` for Meshery''s clients.';
create unique index users_provider_username_unique on users (provider, username) where deleted_at is null;


create table organizations (
    organization_id uuid primary key,
    name text not null,
    country text not null default '',
    region text not null default '',
    description text not null default '',
    owner_id uuid references users,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
comment on column organizations.owner_id is 'Null: nobody in particular, as for the local provider''s.';


create table organization_members (
    organization_id uuid not null references organizations,
    user_id uuid not null references users,
    created_at timestamptz not null default now(),
    primary key (organization_id, user_id)
);
comment on table organization_members is 'Who belongs to an organisation; what he may do there comes from his roles.';
create index organization_members_user on organization_members (user_id, created_at);


create table roles (
    role_id uuid primary key,
    organization_id uuid references organizations,
    name text not null,
    description text not null default '',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
comment on column roles.organization_id is 'Null: built in, the same for all organisations; brought up to date at every start.';
create unique index roles_organization_name_unique on roles (organization_id, name)
    nulls not distinct where deleted_at is null;


create table organization_member_roles (
    organization_id uuid not null,
    user_id uuid not null,
    role_id uuid not null references roles,
    created_at timestamptz not null default now(),
    primary key (organization_id, user_id, role_id),
    foreign key (organization_id, user_id) references organization_members on delete cascade
);
comment on table organization_member_roles is 'Roles that somebody holds in a whole organisation.';


create table user_roles (
    user_id uuid not null references users,
    role_id uuid not null references roles,
    created_at timestamptz not null default now(),
    primary key (user_id, role_id)
);
comment on table user_roles is 'Roles that somebody holds in every organisation he belongs to.';


create table keychains (
    keychain_id uuid primary key,
    organization_id uuid references organizations,
    name text not null,
    owner_id uuid references users,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
comment on table keychains is 'Named sets of permission keys. Built-in ones belong to no organisation.';
create unique index keychains_organization_name_unique on keychains (organization_id, name)
    nulls not distinct where deleted_at is null;


create table role_keychains (
    role_id uuid not null references roles,
    keychain_id uuid not null references keychains,
    created_at timestamptz not null default now(),
    primary key (role_id, keychain_id)
);
create index role_keychains_keychain on role_keychains (keychain_id);


create table keychain_keys (
    keychain_id uuid not null references keychains,
    key_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (keychain_id, key_id)
);
comment on column keychain_keys.key_id is 'A key of the contracts. One that this release does not know grants nothing.';


create table teams (
    team_id uuid primary key,
    organization_id uuid not null references organizations,
    name text not null,
    description text not null default '',
    owner_id uuid references users,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    constraint teams_team_organization_unique unique (team_id, organization_id)
);
create unique index teams_organization_name_unique on teams (organization_id, name) where deleted_at is null;


create table team_members (
    team_id uuid not null,
    organization_id uuid not null,
    user_id uuid not null,
    role_id uuid references roles,
    created_at timestamptz not null default now(),
    primary key (team_id, user_id),
    foreign key (team_id, organization_id) references teams (team_id, organization_id),
    foreign key (organization_id, user_id) references organization_members on delete cascade
);
comment on column team_members.role_id is 'The role that somebody holds through the team; null: none.';
create index team_members_user on team_members (user_id, organization_id);


create table workspaces (
    workspace_id uuid primary key,
    organization_id uuid not null references organizations,
    name text not null,
    description text not null default '',
    owner_id uuid references users,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    constraint workspaces_workspace_organization_unique unique (workspace_id, organization_id)
);
create unique index workspaces_organization_name_unique on workspaces (organization_id, name)
    where deleted_at is null;


create table workspace_members (
    workspace_id uuid not null,
    organization_id uuid not null,
    user_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (workspace_id, user_id),
    foreign key (workspace_id, organization_id) references workspaces (workspace_id, organization_id),
    foreign key (organization_id, user_id) references organization_members on delete cascade
);
create index workspace_members_user on workspace_members (user_id, organization_id);


create table workspace_teams (
    workspace_id uuid not null,
    team_id uuid not null,
    organization_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (workspace_id, team_id),
    foreign key (workspace_id, organization_id) references workspaces (workspace_id, organization_id),
    foreign key (team_id, organization_id) references teams (team_id, organization_id)
);
comment on table workspace_teams is 'Teams whose members are members of the workspace.';
create index workspace_teams_team on workspace_teams (team_id);


create table tokens (
    token_id uuid primary key,
    organization_id uuid not null references organizations,
    user_id uuid not null references users,
    name text not null,
    purpose text not null default '',
    secret_sha256 bytea not null
        constraint tokens_secret_sha256_check check (length(secret_sha256) = 32),
    key_ids uuid[],
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    last_used_at timestamptz,
    revoked_at timestamptz
);
comment on table tokens is 'Personal access tokens. The secret itself is kept nowhere.';
comment on column tokens.key_ids is 'The keys it may use at most; null: all that its owner has.';
comment on column tokens.last_used_at is 'By the minute.';
create index tokens_owner on tokens (organization_id, user_id, created_at desc, token_id);
create index tokens_ended on tokens (least(expires_at, revoked_at));


create table preferences (
    user_id uuid primary key references users,
    document jsonb not null,
    updated_at timestamptz not null default now()
);
comment on column preferences.document is 'Names of known fields in snake_case; all else is kept as a client sent it.';


create table signing_keys (
    key_id uuid primary key,
    public_jwk jsonb not null,
    sealed_private_jwk bytea not null,
    created_at timestamptz not null default now(),
    signs_from timestamptz not null
);
comment on table signing_keys is 'Keys that assertions are signed with. The newest whose time has come signs, all verify.';
comment on column signing_keys.sealed_private_jwk is 'AES-256-GCM under the master key, bound to this row.';
comment on column signing_keys.signs_from is 'Later than created_at, so that verifiers know a key before they see its work.';


create table installation (
    only_row boolean primary key default true
        constraint installation_only_row_check check (only_row),
    local_user_id uuid not null references users,
    local_organization_id uuid not null references organizations,
    local_workspace_id uuid not null references workspaces,
    created_at timestamptz not null default now()
);
comment on table installation is 'What was made at the very first start, found again whatever it is renamed to.';


alter table organization_members enable row level security;
alter table organization_members force row level security;
create policy organization on organization_members
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table organization_member_roles enable row level security;
alter table organization_member_roles force row level security;
create policy organization on organization_member_roles
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table teams enable row level security;
alter table teams force row level security;
create policy organization on teams
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table team_members enable row level security;
alter table team_members force row level security;
create policy organization on team_members
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table workspaces enable row level security;
alter table workspaces force row level security;
create policy organization on workspaces
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table workspace_members enable row level security;
alter table workspace_members force row level security;
create policy organization on workspace_members
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table workspace_teams enable row level security;
alter table workspace_teams force row level security;
create policy organization on workspace_teams
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

alter table tokens enable row level security;
alter table tokens force row level security;
create policy organization on tokens
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));

-- Built-in roles and keychains belong to no organisation: everybody reads them, no request changes them.
alter table roles enable row level security;
alter table roles force row level security;
create policy organization on roles
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy built_in on roles for select using (organization_id is null);

alter table keychains enable row level security;
alter table keychains force row level security;
create policy organization on keychains
    using (organization_id = (select current_organization()) or (select in_every_organization()))
    with check (organization_id = (select current_organization()) or (select in_every_organization()));
create policy built_in on keychains for select using (organization_id is null);
