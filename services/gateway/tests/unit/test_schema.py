"""The schema: bound as it is written, committed as it is served, with every name of Meshery's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    ObjectTypeExtensionNode,
    build_client_schema,
    build_schema,
    introspection_from_schema,
    is_non_null_type,
    parse,
)
from graphql.utilities import find_breaking_changes, find_dangerous_changes

from meshery_gateway.graphql.schema import executable, sdl

COMMITTED = Path(__file__).parents[4] / "schemas" / "schema.graphql"
#: What clients of Meshery generated code from: type, then its fields with `!` where they are never null.
MESHERY = {
    "Event": "id! userID! actedUpon! operationID! systemID! severity! action! status! category! description!"
    " metadata createdAt! updatedAt! deletedAt",
    "PatternResult": "id! name! user_id! location! pattern_file! visibility! catalog_data canSupport! errmsg"
    " created_at updated_at type",
    "PatternPageResult": "page! page_size! total_count! patterns",
    "CatalogPattern": "id! name! user_id! pattern_file! location! visibility! catalog_data created_at updated_at",
    "K8sContext": "id! name! server! owner! created_by! meshery_instance_id! kubernetes_server_id!"
    " deployment_type! version! updated_at! created_at! connection_id!",
    "K8sContextsPage": "total_count! contexts!",
    "ConfigurationPage": "applications patterns filters",
    "ClusterResources": "resources!",
    "Resource": "kind! count!",
    "MeshModelSummary": "components relationships",
    "NameSpace": "namespace!",
    "NullString": "String! Valid!",
    "Location": "branch host path type",
    "PageFilter": "page! pageSize! order search from to updated_after visibility metrics",
    "CatalogSelector": "page! pagesize! search! order! metrics",
    "MeshModelSummarySelector": "type!",
}


def test_introspection_tells_what_is_committed() -> None:
    told = build_client_schema(introspection_from_schema(executable()))
    committed = build_schema(COMMITTED.read_text())
    for old, new in ((committed, told), (told, committed)):
        assert find_breaking_changes(old, new) == []
        assert find_dangerous_changes(old, new) == []


def test_every_root_field_has_a_resolver() -> None:
    schema = executable()
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        for name, field in root.fields.items():
            assert field.resolve is not None, name
            assert field.resolve.__module__.startswith("meshery_gateway.graphql"), name
    assert schema.subscription_type is not None
    for name, field in schema.subscription_type.fields.items():
        assert field.subscribe is not None, name
        assert field.resolve is not None, name


def test_root_fields_are_described_beside_their_resolvers() -> None:
    schema = executable()
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None
        for name, field in root.fields.items():
            resolver = field.subscribe or field.resolve
            assert resolver is not None
            area = resolver.__module__.rpartition(".")[2]
            described = parse((files("meshery_gateway.graphql") / f"{area}.graphql").read_text())
            extended = [
                inner.name.value
                for part in described.definitions
                if isinstance(part, ObjectTypeExtensionNode) and part.name.value == root.name
                for inner in part.fields or ()
            ]
            assert name in extended, f"{root.name}.{name} is not described in {area}.graphql"


def test_types_of_meshery_keep_their_fields() -> None:
    types = executable().type_map
    for name, expected in MESHERY.items():
        found = types[name]
        assert isinstance(found, (GraphQLObjectType, GraphQLInputObjectType))
        for one in expected.split():
            field = found.fields[one.rstrip("!")]
            assert is_non_null_type(field.type) == one.endswith("!"), f"{name}.{one}"
    severity = types["Severity"]
    assert isinstance(severity, GraphQLEnumType)
    assert set(severity.values) == {
        "alert", "critical", "debug", "emergency", "error", "warning", "informational",
    }  # fmt: skip


def test_deliveries_count_and_tell_of_gaps() -> None:
    types = executable().type_map
    for name in (
        "EventDelivery",
        "ResourceDelivery",
        "RunDelivery",
        "ConnectionDelivery",
        "DesignDelivery",
        "CloneDelivery",
        "ImportDelivery",
        "RegistryDelivery",
        "PolicyDelivery",
    ):
        found = types[name]
        assert isinstance(found, GraphQLObjectType)
        assert (str(found.fields["sequence"].type), str(found.fields["resync"].type)) == ("Int!", "Boolean!")


def test_what_people_read_is_described() -> None:
    schema = build_schema(sdl())
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None
        assert [name for name, field in root.fields.items() if not field.description] == []
