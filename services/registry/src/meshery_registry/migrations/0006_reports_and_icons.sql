-- What the report of an import tells of an entity beside its name, which lists of clients show; icons of connections.

alter table import_entries add column about jsonb not null default '{}';
comment on column import_entries.about is
    'Display name, category of the model, API version of a component, kinds of a relationship: what there is of these.';

alter table connection_definitions add column icons text[] not null default '{}';
comment on column connection_definitions.icons is 'Hashes of the icons that `styles` names.';
