-- What the report of an import tells of an entity beside its name: lists of clients show it.

alter table import_entries add column about jsonb not null default '{}';
comment on column import_entries.about is
    'Display name, category of the model, API version of a component, kinds of a relationship: what there is of these.';
