"""The permission keys: what somebody may do, named by the UUIDs that Meshery's roles grant.

A right is checked by key, never by a role or a name. The order of the members is the order of the bits in a
caller's assertion: append only, never reorder and never remove one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from uuid import UUID


@dataclass(frozen=True)
class KeyFacts:
    """What is known of a key. `function` is compared by Meshery's UI letter by letter: never rename one."""

    id: UUID
    category: str
    function: str
    #: Roles that hold it: U user, T team admin, W workspace admin, B billing manager, O organisation
    #: admin, P provider admin.
    roles: str
    #: Whether the single user of the local provider holds it.
    local: bool


def _key(uuid: str, category: str, function: str, roles: str, *, local: bool = False) -> KeyFacts:
    return KeyFacts(UUID(uuid), category, function, roles, local)


class Key(Enum):
    """Every key that this system knows."""

    SHARE_DESIGN = _key(
        "d9ae2b08-762f-418f-916f-43de736b53e2", "Catalog", "Share Design", "UTWOP", local=True
    )
    CLONE_DESIGN = _key(
        "94a12f80-3c45-4a1f-afb2-a68b909d0d7f", "Catalog", "Clone Design", "UTWOP", local=True
    )
    VIEW_DESIGNS = _key(
        "3798736d-1f5d-41b3-876f-f3f01453dd15", "Designs", "View Designs", "UTWOP", local=True
    )
    VIEW_FILTERS = _key(
        "df41c45f-7c73-49c2-a055-0584fdcec1c1", "Filters", "View Filters", "UTWOP", local=True
    )
    CREATE_NEW_DESIGN = _key(
        "14bd933e-83b7-464d-9a4d-d8c8eb9682ab", "Designs", "Create new design", "UTWOP", local=True
    )
    IMPORT_DESIGN = _key(
        "cc040d21-3160-4a96-8efa-833487a234cd", "Designs", "Import Design", "UTWOP", local=True
    )
    PUBLISH_DESIGN = _key("9e66bdec-4177-42f9-8cec-d9eb52a12c38", "Designs", "Publish Design", "UTWOP")
    UNPUBLISH_DESIGN = _key("c1595c90-b85b-4ac7-b921-f08959926db3", "Designs", "Unpublish Design", "UTWOP")
    VALIDATE_DESIGN = _key(
        "da5339dd-a4bc-4b91-8865-d8a703656516", "Designs", "Validate Design", "UTWOP", local=True
    )
    DETAILS_OF_DESIGN = _key(
        "10a03036-53a0-40b3-9f69-6daab852e434", "Designs", "Details of design", "UTWOP", local=True
    )
    EDIT_DESIGN = _key("7f2b7084-4533-4824-b688-50cf35de7ef8", "Designs", "Edit design", "UTWOP", local=True)
    DELETE_A_DESIGN = _key(
        "f024fcf7-3c3d-4521-b83e-6d659353ca0e", "Designs", "Delete a design", "UTWOP", local=True
    )
    DOWNLOAD_A_DESIGN = _key(
        "64de96b7-60db-4aab-b311-afc64066b2c4", "Designs", "Download a design", "UTWOP", local=True
    )
    IMPORT_FILTER = _key(
        "cb79d7fb-19de-45fa-aaf5-0a0afc832bf8", "Filters", "Import Filter", "UTWOP", local=True
    )
    DOWNLOAD_A_WASM_FILTER = _key(
        "24325b2c-5e08-4ba8-809f-8a4a1bf91084",
        "Filters",
        "Download a WASM filter",
        "UTWOP",
        local=True,
    )
    DETAILS_OF_WASM_FILTER = _key(
        "86c457b5-b9ec-4223-af1f-30a5be67d69d",
        "Filters",
        "Details of WASM Filter",
        "UTWOP",
        local=True,
    )
    EDIT_WASM_FILTER = _key(
        "88cd144e-806e-472a-a31a-ef6d64643291", "Filters", "Edit WASM filter", "UTWOP", local=True
    )
    CLONE_WASM_FILTER = _key(
        "c84718ca-7479-4ad9-a2b7-a5784baa51fb", "Filters", "Clone WASM Filter", "UTWOP", local=True
    )
    DELETE_WASM_FILTER = _key(
        "9225d5a7-7255-49be-9233-daeabefae306", "Filters", "Delete WASM Filter", "UTWOP", local=True
    )
    VIEW_MESHERY_USER_PREFERENCES = _key(
        "cdec6212-bbbf-4cab-b10d-76d12bee7e56",
        "Extensions",
        "View Meshery User Preferences",
        "UTWOP",
        local=True,
    )
    VIEW_EXTENSIONS = _key(
        "c1330df4-1bbe-4d5d-8828-f4bd9ee989e5", "Extensions", "View Extensions", "UTWOP", local=True
    )
    VIEW_ALL_KUBERNETES_CLUSTERS = _key(
        "b99a9a0a-2cb9-4be7-8251-14a249e4038e",
        "Users",
        "View All Kubernetes Clusters",
        "UTWOP",
        local=True,
    )
    VIEW_TEAM = _key("27447fb0-be46-4497-8366-c34e24920f22", "Teams", "View Team", "UTWOP")
    VIEW_ALL_TEAMS = _key("8b94dd6b-234f-4c89-86cf-b029e0090255", "Teams", "View All Teams", "UTWOP")
    VIEW_SETTINGS = _key(
        "fdc038e3-1fdf-403a-af8a-53c0de8d7820", "Settings", "View Settings", "UTWOP", local=True
    )
    VIEW_METRICS = _key(
        "7fe36f60-fd0a-4fda-84e5-c64a04c3ad06", "Settings", "View Metrics", "UTWOP", local=True
    )
    VIEW_REGISTRY = _key(
        "cc069117-08cc-44e3-9c61-ae0eeca0bcf1", "Settings", "View Registry", "UTWOP", local=True
    )
    VIEW_RESULTS = _key(
        "0c757cc7-4038-4d9b-9b60-fa8d9fc9d27e", "Performance", "View Results", "UTWOP", local=True
    )
    VIEW_PERFORMANCE_PROFILES = _key(
        "6593ac26-820b-4e87-be32-64ee740ea204",
        "Performance",
        "View performance profiles",
        "UTWOP",
        local=True,
    )
    VIEW_CLOUD_NATIVE_INFRASTRUCTURE = _key(
        "fdc485dc-f68b-405c-9e54-7b9a7254c282",
        "Cloud native infrastructure lifecycle",
        "View cloud native infrastructure",
        "UTWOP",
        local=True,
    )
    VIEW_CONNECTIONS = _key(
        "b35c9ce0-e787-4de6-8560-631007b0b947",
        "Connections",
        "View Connections",
        "UTWOP",
        local=True,
    )
    VIEW_ENVIRONMENT = _key(
        "e3656bbc-fba2-483d-9996-34f8614cd21b",
        "Environments",
        "View Environment",
        "UTWOP",
        local=True,
    )
    VIEW_CATALOG = _key(
        "0cd05106-36b6-4393-a08e-4222fc10c8de", "Catalog", "View Catalog", "UTWOP", local=True
    )
    VIEW_WORKSPACE = _key(
        "bc9379e8-dc18-4655-b53c-c641271c4ba3", "Workspace", "View Workspace", "UTWOP", local=True
    )
    VIEW_CATALOG_REQUESTS = _key(
        "30b68d69-d199-48fd-b4ff-54b5282c5c03", "Catalog Requests", "View Catalog Requests", "WOP"
    )
    APPROVE_CATALOG_REQUEST = _key(
        "66fbc8c0-b08a-494b-8c60-68ee1b607176", "Catalog Requests", "Approve Catalog Request", "WOP"
    )
    DENY_CATALOG_REQUEST = _key(
        "b9137717-a20a-44e8-a2f9-94dc3d1a6dcb", "Catalog Requests", "Deny Catalog Request", "WOP"
    )
    DEPLOY_DESIGN = _key(
        "595b921a-ea1e-4611-83f0-503db0eeb94d", "Designs", "Deploy Design", "WOP", local=True
    )
    UNDEPLOY_DESIGN = _key(
        "16b11ffa-7b92-4666-a0ff-191df9cd18b2", "Designs", "Undeploy Design", "WOP", local=True
    )
    ADD_CLUSTER = _key(
        "fce15b20-78ac-42af-b79c-b8f19bdb0802", "Connections", "Add cluster", "WOP", local=True
    )
    CHANGE_CONNECTION_STATE = _key(
        "14ac9622-3170-4580-8403-ed7a584f90ef",
        "Connections",
        "Change connection state",
        "WOP",
        local=True,
    )
    FLUSH_MESHSYNC_DATA = _key(
        "8dd4c54a-bccd-4fb3-a18c-269195653a91",
        "Connections",
        "Flush Meshsync data",
        "WOP",
        local=True,
    )
    REGISTER_DISCOVERED_MESHSYNC_RESOURCE = _key(
        "214ad6b1-df4d-44a6-8872-8ad1f751ef68",
        "Connections",
        "Register discovered Meshsync resource",
        "WOP",
        local=True,
    )
    DELETE_A_CONNECTION = _key(
        "61afb8c2-cda6-4175-aad9-74ff87fed323",
        "Connections",
        "Delete a connection",
        "WOP",
        local=True,
    )
    CREATE_ENVIRONMENT = _key(
        "a97b7f3b-3349-4a86-b917-2ce0b64a540b",
        "Environments",
        "Create Environment",
        "WOP",
        local=True,
    )
    DELETE_ENVIRONMENT = _key(
        "70747966-dfad-4523-93ce-bd7421258955",
        "Environments",
        "Delete Environment",
        "WOP",
        local=True,
    )
    EDIT_ENVIRONMENT = _key(
        "145ab6ed-b4b6-4e34-ada5-78dada250f89",
        "Environments",
        "Edit Environment",
        "WOP",
        local=True,
    )
    ASSIGN_CONNECTIONS_TO_ENVIRONMENT = _key(
        "52cbe0b8-9aa7-4605-8eed-aa37e595adbb",
        "Environments",
        "Assign connections to environment",
        "WOP",
        local=True,
    )
    REMOVE_CONNECTIONS_FROM_ENVIRONMENT = _key(
        "65648682-e47f-43d7-a5ad-dc042803f951",
        "Environments",
        "Remove connections from environment",
        "WOP",
        local=True,
    )
    DELETE_WORKSPACE = _key(
        "09eb0507-2f14-4bc4-92c5-9e26a4efbd5e", "Workspace", "Delete Workspace", "WOP", local=True
    )
    EDIT_WORKSPACE = _key(
        "4112230f-5d1e-4d30-9790-942ad5c1dc50", "Workspace", "Edit Workspace", "WOP", local=True
    )
    CREATE_WORKSPACE = _key(
        "eb42ac41-a883-465e-843c-d64e962a3a0e", "Workspace", "Create Workspace", "WOP", local=True
    )
    ASSIGN_TEAM_TO_WORKSPACE = _key(
        "6ab4263b-0bb3-492e-9878-6936a5b6312f",
        "Workspace",
        "Assign team to workspace",
        "WOP",
        local=True,
    )
    REMOVE_TEAM_FROM_WORKSPACE = _key(
        "c4ed82f5-783d-4451-9b34-44f50cae71df",
        "Workspace",
        "Remove team from workspace",
        "WOP",
        local=True,
    )
    ASSIGN_ENVIRONMENT_TO_WORKSPACE = _key(
        "f421fc20-c14a-4282-b526-776c6cacfd99",
        "Workspace",
        "Assign environment to workspace",
        "WOP",
        local=True,
    )
    REMOVE_ENVIRONMENT_FROM_WORKSPACE = _key(
        "d0657715-80fb-4b00-af27-b78bb0fa56df",
        "Workspace",
        "Remove environment from workspace",
        "WOP",
        local=True,
    )
    ASSIGN_DESIGNS_TO_WORKSPACES = _key(
        "64a1bad5-30f1-431a-aea0-8073d14a0262",
        "Workspace",
        "Assign Designs to Workspaces",
        "WOP",
        local=True,
    )
    REMOVE_DESIGNS_FROM_WORKSPACES = _key(
        "076515f1-f696-4211-ae27-58d5463a229e",
        "Workspace",
        "Remove Designs from Workspaces",
        "WOP",
        local=True,
    )
    INSTALL_EXTENSION = _key(
        "24f41e98-7ce1-40c4-a82d-4ae0294d237d", "Extensions", "Install extension", "OP", local=True
    )
    CREATE_ORGANIZATION = _key(
        "17a6fa82-cdab-46db-a7ce-a9d0a1bbf40f", "Organizations", "Create Organization", "OP"
    )
    EDIT_ORGANIZATION = _key(
        "d39a34fb-0ccf-4c80-8a6c-b545c8db869a", "Organizations", "Edit Organization", "OP"
    )
    VIEW_ALL_ORGANIZATIONS = _key(
        "e996c998-a50f-4cb8-ae7b-f2f1b523c971", "Organizations", "View All Organizations", "OP"
    )
    REMOVE_ROLES_FROM_ORGANIZATION_MEMBERS = _key(
        "8a003a11-a909-425a-bd23-d8ba14972c89",
        "Organizations",
        "Remove Roles from Organization members",
        "OP",
    )
    ASSIGN_ROLES_TO_ORGANIZATION_MEMBERS = _key(
        "0d455711-6205-422b-9de7-05933fe2aeb2",
        "Organizations",
        "Assign Roles to Organization members",
        "OP",
    )
    CONNECT_ADAPTER = _key(
        "c93bd211-1dac-42cc-9086-859288826d1b", "Settings", "Connect adapter", "OP", local=True
    )
    CONNECT_METRICS = _key(
        "b0aee906-c549-445f-be0c-b98b04d47d09", "Settings", "Connect Metrics", "OP", local=True
    )
    ADD_PERFORMACE_PROFILE = _key(
        "b2861578-c573-45fe-a95e-0356d56e1d1b",
        "Performance",
        "Add performace profile",
        "OP",
        local=True,
    )
    RUN_TEST = _key("06de2b07-b4f4-4701-b87f-d92ebb66ba42", "Performance", "Run test", "OP", local=True)
    EDIT_PERFORMANCE_TEST = _key(
        "33aa5c47-a8aa-4ad5-9950-7c17042c001d",
        "Performance",
        "Edit performance test",
        "OP",
        local=True,
    )
    DELETE_PERFORMANCE_TEST = _key(
        "84aa9d3c-3d4b-4587-947d-ae17b2dcd5f5",
        "Performance",
        "Delete performance test",
        "OP",
        local=True,
    )
    MANAGE_CLOUD_NATIVE_INFRASTRUCTURE_LIFE_CYCLE = _key(
        "255fd148-e3fd-4408-a48c-0d157a57d4d9",
        "Cloud native infrastructure lifecycle",
        "Manage cloud native infrastructure life cycle",
        "OP",
        local=True,
    )
    MANAGE_CLOUD_NATIVE_INFRASTRUCTURE_CONFIGURATION = _key(
        "0eb0558d-9b21-4e50-b4c6-bd8e9e3414f5",
        "Cloud native infrastructure lifecycle",
        "Manage cloud native infrastructure configuration",
        "OP",
        local=True,
    )
    APPLY_CLOUD_NATIVE_INFRASTRUCTURE_CONFIGURATION = _key(
        "3f20a106-24f5-4da6-a8eb-6eddaad50944",
        "Cloud native infrastructure lifecycle",
        "Apply cloud native infrastructure configuration",
        "OP",
        local=True,
    )
    VALIDATE_CLOUD_NATIVE_INFRASTRUCTURE_CONFIGURATION = _key(
        "8bb93f97-fcfb-4827-9fed-f931fdca7b95",
        "Cloud native infrastructure lifecycle",
        "Validate cloud native infrastructure configuration",
        "OP",
        local=True,
    )
    APPLY_CUSTOM_CLOUD_NATIVE_CONFIGURATION = _key(
        "2f4e2300-4c7e-4d48-95aa-74614a4826fe",
        "Cloud native infrastructure lifecycle",
        "Apply custom cloud native configuration",
        "OP",
        local=True,
    )
    DEPLOY_CLOUD_NATIVE_INFRASTRUCTURE = _key(
        "f7e70ffb-333d-43b3-a76e-0e6c63b9fbfa",
        "Cloud native infrastructure lifecycle",
        "Deploy cloud native infrastructure",
        "OP",
        local=True,
    )
    UNDEPLOY_CLOUD_NATIVE_INFRASTRUCTURE = _key(
        "6e7f6f4f-4321-4e42-9eff-6a8323f32e84",
        "Cloud native infrastructure lifecycle",
        "Undeploy cloud native infrastructure",
        "OP",
        local=True,
    )
    RESET_DATABASE = _key(
        "84fc402c-f33e-4a21-a0e3-e14f9e20b125", "Settings", "Reset Database", "OP", local=True
    )
    ADD_USER_TO_TEAM = _key("88b9a857-d012-4c6d-a129-4ce65b63b018", "Teams", "Add User to Team", "TOP")
    INVITE_USER_TO_TEAM = _key("f224ecf3-b105-4d81-9886-77127073a6ca", "Teams", "Invite User to Team", "TOP")
    REMOVE_USER_FROM_TEAM = _key(
        "e996c998-a50f-4cb8-ae7b-77127073a6ca", "Teams", "Remove User from Team", "TOP"
    )
    CREATE_TEAM = _key("41a9eb36-b99b-4715-8140-780f97d3c6a0", "Teams", "Create Team", "TOP")
    DELETE_TEAM = _key("bbb691b6-8664-44c7-8ea7-9c46b1ca1e8b", "Teams", "Delete Team", "TOP")
    EDIT_TEAM = _key("6cf69881-0be0-4723-b5f0-031b7847509a", "Teams", "Edit Team", "TOP")
    ADD_USER_TO_ORGANIZATION = _key(
        "33bf7a57-f787-4208-b01c-ad9b9d9c6b6c", "Organizations", "Add User to Organization", "BOP"
    )
    INVITE_USER_TO_ORGANIZATION = _key(
        "c8489026-11ab-4753-a445-8e20fc032c38",
        "Organizations",
        "Invite User to Organization",
        "BOP",
    )
    REMOVE_USER_FROM_ORGANIZATION = _key(
        "3ed858e4-418d-4220-9d4c-a217fd466d86",
        "Organizations",
        "Remove User from Organization",
        "BOP",
    )
    PROMOTE_OR_DEMOTE_USER_TO_ORG_ADMIN = _key(
        "0ddd82df-27ed-4781-a91a-ec1dbeb620d0",
        "Organizations",
        "Promote or Demote User to Org Admin",
        "BOP",
    )
    VIEW_ORGANIZATIONS = _key(
        "172fa7d3-0d8a-4646-a789-bf64f52ba40b",
        "Organizations",
        "View Organizations",
        "BOP",
        local=True,
    )
    VIEW_TEAMS = _key("6ecbbe79-c392-43bd-b7b6-ecdec019e24c", "Teams", "View Teams", "TWOP")
    REMOVE_ROLES_FROM_TEAM_MEMBERS = _key(
        "ed3dbd2d-52f8-4608-87e0-7f2999a4518c", "Teams", "Remove Roles from Team members", "TWOP"
    )
    ASSIGN_ROLES_TO_TEAM_MEMBERS = _key(
        "06f33eca-950c-4daa-b46d-e73af39e0868", "Teams", "Assign Roles to Team members", "TWOP"
    )
    OPEN_TEAM_INVITE = _key("6086c0a5-cd79-48ca-8c9f-a0e0ad75343c", "Teams", "Open Team Invite", "TWOP")
    VIEW_ORG = _key("49f02947-0c8d-4b2d-af53-f50ce18f8861", "Organizations", "View Org", "UTWBOP", local=True)
    VIEW_PROFILE = _key(
        "fa7de118-2d08-4b07-b9d7-3e0baead6d04", "Account", "View Profile", "UTWBOP", local=True
    )
    EDIT_ACCOUNT = _key(
        "f5e6bb39-c89a-4172-86f9-14a4a59792c1", "Account", "Edit Account", "UTWBOP", local=True
    )
    VIEW_PRIVATE_DESIGNS = _key(
        "bedb8e5b-56bf-4caf-9e8b-258d30b9229b",
        "Designs",
        "View Private Designs",
        "UTWOP",
        local=True,
    )
    VIEW_PUBLIC_DESIGNS = _key(
        "3f7cfb90-4267-4acf-868d-6ca0c24fb774",
        "Designs",
        "View Public Designs",
        "UTWOP",
        local=True,
    )
    VIEW_PUBLISHED_DESIGNS = _key(
        "061e6194-d398-4d7e-94be-3a8bbf019b69",
        "Designs",
        "View Published Designs",
        "UTWOP",
        local=True,
    )
    EVALUATE_RELATIONSHIPS = _key(
        "c7752be7-5c0f-465d-a8ba-5594acd08b93",
        "Designs",
        "Evaluate Relationships",
        "UTWOP",
        local=True,
    )
    VIEW_EVENTS = _key("4fe3e6b9-3363-4e9d-bfd4-9cd5bd168e5a", "Events", "View Events", "OP", local=True)
    VIEW_AUDIT = _key("80bb9c66-0657-49ff-a064-667e9875bb3f", "Events", "View Audit", "OP")
    VIEW_ALL_USERS = _key("382da488-9a92-4a5b-958d-c4bfe1e80253", "Users", "View All Users", "UTWOP")
    TRANSFER_ORGANIZATION_OWNERSHIP = _key(
        "c81764a3-9fb1-451e-8e80-693cba6f79bf",
        "Organizations",
        "Transfer Organization Ownership",
        "BOP",
    )
    DELETE_ORGANIZATION = _key(
        "b3dc083c-fe8e-43a9-9bcd-ed93d4584f55", "Organizations", "Delete Organization", "BOP"
    )
    VIEW_ALL_ROLES = _key("9a84a5d0-0a16-11ee-be56-0242ac120002", "Roles", "View All Roles", "UTWOP")
    ASSIGN_USER_ROLES = _key("9a84a76a-0a16-11ee-be56-0242ac120002", "Roles", "Assign User Roles", "OP")
    ASSIGN_KEYCHAINS_TO_ROLES = _key(
        "9a84abb6-0a16-11ee-be56-0242ac120002", "Roles", "Assign Keychains to Roles", "OP"
    )
    CREATE_CUSTOM_ROLES = _key("9a84ad00-0a16-11ee-be56-0242ac120002", "Roles", "Create Custom Roles", "OP")
    UPDATE_CUSTOM_ROLES = _key("9a84ad07-0a16-11ee-be56-0242ac120002", "Roles", "Update Custom Roles", "OP")
    DELETE_CUSTOM_ROLES = _key("19b3b3a3-7dc9-4e2f-b984-69241ec90fc8", "Roles", "Delete Custom Roles", "OP")
    VIEW_VIEWS = _key("4b3117e6-176c-4d9b-8e09-4278d2f48280", "Views", "View Views", "UTWOP")
    CREATE_VIEW = _key("47ba32dc-aaa3-4c75-afdd-07fb40f38f4f", "Views", "Create View", "UTWOP")
    DELETE_VIEW = _key("48076416-bc07-456b-bbea-49bdca239d0f", "Views", "Delete View", "UTWOP")
    EDIT_VIEW = _key("2f8354bb-6855-4a42-8086-8d55c1c7e638", "Views", "Edit View", "UTWOP")
    VIEW_CREDENTIALS = _key(
        "96759f76-4add-45f8-b4ef-d4ace5ab1bc4", "Connections", "View Credentials", "OP", local=True
    )
    CREATE_CREDENTIAL = _key(
        "30023b1b-01a7-4613-8364-38d3487d1789", "Connections", "Create Credential", "OP", local=True
    )
    EDIT_CREDENTIAL = _key(
        "e4cd5bb0-8afb-4b35-8716-0e2ead13c9b7", "Connections", "Edit Credential", "OP", local=True
    )
    DELETE_CREDENTIAL = _key(
        "cb09f530-aa87-4a18-b3d3-bbcc2d6ca1a6", "Connections", "Delete Credential", "OP", local=True
    )
    VIEW_SESSIONS = _key(
        "26cf042a-91db-4237-8644-4d617a0d49e1", "Account", "View Sessions", "UTWOP", local=True
    )
    LOGOUT_FROM_A_SESSION = _key(
        "177b928b-71ee-4ecd-a30b-3154ff4ba0d9", "Account", "Logout from a Session", "UTWOP"
    )
    VIEW_TOKENS = _key("46d914bc-18c1-438f-aa74-fb78823aa25c", "Tokens", "View Tokens", "UTWOP", local=True)
    DOWNLOAD_TOKEN = _key(
        "ee5fc23e-d629-4c7b-8169-27e526394e8b", "Tokens", "Download Token", "UTWOP", local=True
    )
    CREATE_TOKEN = _key("8aa0df56-57e8-44b7-9d6e-7df413048ed5", "Tokens", "Create Token", "OP", local=True)
    DELETE_TOKEN = _key("ddba5064-ac3c-470e-b405-d2a0e99db477", "Tokens", "Delete Token", "", local=True)
    VIEW_KEYCHAINS = _key("9e930568-6b55-43d2-91d8-abeafedc1550", "Keychains", "View Keychains", "UTWOP")
    CREATE_KEYCHAIN = _key("ec292de6-b62d-421b-94bf-ec5983faa6ff", "Keychains", "Create Keychain", "OP")
    EDIT_KEYCHAIN = _key("163e807d-f508-49ca-9ba6-cc3badb22bb0", "Keychains", "Edit Keychain", "OP")
    DELETE_KEYCHAIN = _key("503a6b28-bd91-4dde-86ac-641567777515", "Keychains", "Delete Keychain", "OP")
    # From here on: keys of our own, because nothing in Meshery guards these. Its clients do not know them.
    IMPORT_MODELS = _key(
        "2aecd880-3b4a-401e-a2c2-5474a4e3e318", "Registry", "Import models", "WOP", local=True
    )
    EXPORT_MODELS = _key(
        "5d43de2a-c0aa-4278-86b6-0b118585a9cb", "Registry", "Export models", "UTWOP", local=True
    )
    MANAGE_REGISTRY = _key(
        "b5d2d17a-0a92-4985-9e71-de96794bd407", "Registry", "Manage registry", "OP", local=True
    )
    REGISTER_DEFINITIONS = _key(
        "8ee4f1cf-be72-44f4-b21e-3254048de467", "Registry", "Register definitions", "OP", local=True
    )
    APPROVE_DEFINITIONS = _key(
        "38094267-f92a-4acb-b012-61758a47912b", "Registry", "Approve definitions", "OP", local=True
    )
    MANAGE_POLICIES = _key(
        "f6eb41a0-09ed-44ce-9e34-565c15ccb0e8", "Registry", "Manage policies", "OP", local=True
    )

    @property
    def id(self) -> UUID:
        """The UUID that Meshery's clients know the key by."""
        return self.value.id

    @property
    def category(self) -> str:
        """The heading it is listed under."""
        return self.value.category

    @property
    def function(self) -> str:
        """What it allows, in words."""
        return self.value.function

    @cached_property
    def position(self) -> int:
        """Its bit in a caller's assertion."""
        return ORDER.index(self)


#: Bit order of `Caller.key_bits`.
ORDER: tuple[Key, ...] = tuple(Key)
BY_ID: dict[UUID, Key] = {key.id: key for key in Key}
LOCAL_KEYS: tuple[Key, ...] = tuple(key for key in Key if key.value.local)


def bits_of(keys: tuple[Key, ...] | frozenset[Key]) -> int:
    """The bit set that stands for these keys."""
    bits = 0
    for key in keys:
        bits |= 1 << key.position
    return bits


def keys_of_bits(bits: int) -> tuple[Key, ...]:
    """The keys that a bit set stands for; bits of keys that this release does not know are ignored."""
    return tuple(key for position, key in enumerate(ORDER) if bits >> position & 1)


ALL_BITS = bits_of(ORDER)
LOCAL_BITS = bits_of(LOCAL_KEYS)
