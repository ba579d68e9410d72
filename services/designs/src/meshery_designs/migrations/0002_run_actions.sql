-- What a run was planned to do stays readable after the contents are forgotten; versions of a kind are one kind.

alter table run_objects add column action text not null default 'update';
alter table run_objects alter column action drop default;
alter table run_objects drop column delete;
comment on column run_objects.action is 'What the plan said: create, update, unchanged, delete.';
comment on column run_objects.content is
    'The object to apply, which may hold secrets: null for one that is removed, and for all once the run is over.';

alter table deployed_objects add column api_group text not null
    generated always as (case when api_version like '%/%' then split_part(api_version, '/', 1) else '' end) stored;
alter table deployed_objects drop constraint deployed_objects_pkey;
alter table deployed_objects add primary key (design_id, connection_id, api_group, kind, namespace, name);
create index deployed_objects_object on deployed_objects (connection_id, kind, name);
comment on column deployed_objects.uid is
    'Only an object with this uid may be removed; empty while it is not known whether the object was made.';
