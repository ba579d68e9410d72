"""What is drawn on the icons of kinds: our own drawings, on a field of 32 by 32, within 5 to 27.

A glyph is parts separated by `|`. A part is SVG path data, or `o x y r` (circle), `e x y rx ry` (ellipse),
`r x y width height radius` (rectangle). Parts are stroked; `*` before a part fills it, `-` dashes it.
"""

from __future__ import annotations

from typing import Final

_HEXAGON: Final = "M16 5l9.5 5.5v11L16 27l-9.5-5.5v-11z"
_CUBE: Final = "M16 6l9 5v10l-9 5-9-5V11z"
_CHIP_PINS: Final = "M13 6v4M19 6v4M13 22v4M19 22v4M6 13h4M6 19h4M22 13h4M22 19h4"
_CHIP: Final = f"r 10 10 12 12 2|{_CHIP_PINS}"
_DRUM: Final = "e 16 9 8.5 3|M7.5 9v14c0 1.7 3.8 3 8.5 3s8.5-1.3 8.5-3V9"
#: For what holds in the whole cluster and has a sibling that holds in a namespace.
_WHOLE_CLUSTER: Final = "*o 9 27 1.5|*o 16 27 1.5|*o 23 27 1.5"
_HOOK: Final = "o 12 7.5 2.2|M12 9.7v10.8a3.8 3.8 0 0 1-7.6 0V19"
_RULES: Final = "M18.5 13V10l-4-4H6.5v20H13|M10 13h5M10 18h3.5"
_LINK: Final = "M12.5 6.5h-3a4.2 4.2 0 0 0 0 8.4h3M16.5 6.5h3a4.2 4.2 0 0 1 0 8.4h-3M10.5 10.7h8"
_CHECK: Final = "M16.5 21.5l3.7 3.7 6.3-7.7"
_PENCIL: Final = "M16.5 26l1-4.5 6-6 3.5 3.5-6 6z"

GLYPHS: Final[dict[str, str]] = {
    # models
    "MesheryCore": "o 9 9 3.5|o 23 12 3.5|o 13 23 3.5|M12.3 9.8l7.3 1.6M10 12.3l2 7.3M20.8 14.7l-5.2 5.9",
    "Kubernetes": "M16 4.5l9 4.4 2.2 9.7-6.2 7.9H11l-6.2-7.9L7 8.9z"
    "|M16 11l4.5 2.5v5L16 21l-4.5-2.5v-5z|M11.5 13.5L16 16l4.5-2.5M16 16v5",
    # workloads
    "Pod": f"{_CUBE}|M7 11l9 5 9-5M16 16v10",
    "Container": "r 5.5 8.5 21 15 2.5|M10.7 12.5v7M16 12.5v7M21.3 12.5v7",
    "PodTemplate": f"-{_CUBE}|-M7 11l9 5 9-5M16 16v10",
    "Deployment": "M7.5 13.5A9 9 0 0 1 24 12M24.5 6.5V12H19|M24.5 18.5A9 9 0 0 1 8 20M7.5 25.5V20H13|*o 16 16 3",
    "ReplicaSet": "*r 6 11 15 15 2.5|M12 6.5h11a2.5 2.5 0 0 1 2.5 2.5v11",
    "ReplicationController": "r 6 11 15 15 2.5|M12 6.5h11a2.5 2.5 0 0 1 2.5 2.5v11|*o 13.5 18.5 3",
    "StatefulSet": "*r 5.5 18.5 7 7 1.5|*r 12.5 12.5 7 7 1.5|*r 19.5 6.5 7 7 1.5",
    "DaemonSet": "r 6 6 8.5 8.5 2|r 17.5 6 8.5 8.5 2|r 6 17.5 8.5 8.5 2|r 17.5 17.5 8.5 8.5 2"
    "|*o 10.2 10.2 1.8|*o 21.8 10.2 1.8|*o 10.2 21.8 1.8|*o 21.8 21.8 1.8",
    "Job": "o 16 16 9.5|M11.5 16.5l3.2 3.2 6-7",
    "CronJob": "o 16 16 9.5|M16 10v6.3l4.3 2.7",
    "ControllerRevision": "o 10 8.5 2.6|o 10 23.5 2.6|o 22 11.5 2.6|M10 11.1v9.8M22 14.1c0 5-6 4.4-10 7",
    "Workload": "r 5.5 11 21 14 2|M12 11V7.5h8V11M5.5 17h21M16 15.5v3",
    "PodGroup": "-o 16 16 10.5|*r 12.8 8.5 6.4 6.4 1|*r 8.8 16.5 6.4 6.4 1|*r 16.8 16.5 6.4 6.4 1",
    "CompositePodGroup": "o 12 16 7|o 20 16 7|*r 7.2 14 4 4 .8|*r 20.8 14 4 4 .8|*r 14.6 14.6 2.8 2.8 .5",
    # network
    "Service": "o 16 8 3|M16 11v9.5M8 20.5V18a2.5 2.5 0 0 1 2.5-2.5h11A2.5 2.5 0 0 1 24 18v2.5"
    "|*o 8 23.5 3|*o 16 23.5 3|*o 24 23.5 3",
    "Ingress": "M17 6.5h6a2.5 2.5 0 0 1 2.5 2.5v14a2.5 2.5 0 0 1-2.5 2.5h-6|M5.5 16h13M13.5 11l5 5-5 5",
    "IngressClass": f"{_HEXAGON}|M10.5 16h10M17 12.2l3.8 3.8-3.8 3.8",
    "Endpoints": "o 16 16 9.5|o 16 16 4.8|*o 16 16 1.5",
    "EndpointSlice": "o 16 16 9.5|M16 16l-8.2 4.8|*M16 16V6.5a9.5 9.5 0 0 1 8.2 14.3z",
    "NetworkPolicy": "r 6 6.5 20 19 2|M6 12.8h20M6 19.2h20M13 6.5v6.3M19.5 12.8v6.4M12 12.8v6.4M16 19.2v6.3",
    "IPAddress": "M16 27c-5.2-5.5-8-9.4-8-13a8 8 0 0 1 16 0c0 3.6-2.8 7.5-8 13z|o 16 14 2.8",
    "ServiceCIDR": "M10.5 7H6.5v18h4M21.5 7h4v18h-4|*o 11.5 16 1.7|*o 16 16 1.7|*o 20.5 16 1.7",
    # configuration
    "ConfigMap": "M8 5.5h11l5 5v16H8z|M11.8 13.5h2M17 13.5h3.2M11.8 17.7h2M17 17.7h3.2M11.8 21.9h2M17 21.9h3.2",
    "Secret": "r 7.5 14 17 12 2.5|M11 14v-3a5 5 0 0 1 10 0v3|*o 16 19 1.8|M16 19.5v3",
    # storage
    "PersistentVolume": f"{_DRUM}|M7.5 16c0 1.7 3.8 3 8.5 3s8.5-1.3 8.5-3",
    "PersistentVolumeClaim": "M16 4.5v9.5M12.3 10.5L16 14.2l3.7-3.7"
    "|M10.5 12.8c-1.9.5-3 1.2-3 2.2v8.5c0 1.7 3.8 3 8.5 3s8.5-1.3 8.5-3V15c0-1-1.1-1.7-3-2.2",
    "StorageClass": f"{_HEXAGON}|e 16 12.8 4.6 1.7|M11.4 12.8v6.4c0 1 2 1.8 4.6 1.8s4.6-.8 4.6-1.8v-6.4",
    "VolumeAttributesClass": f"{_HEXAGON}|M11 13.3h10M11 18.7h10|*o 14 13.3 2|*o 18 18.7 2",
    "VolumeAttachment": "M14 11.5h-3.5a4.5 4.5 0 0 0 0 9H14M18 11.5h3.5a4.5 4.5 0 0 1 0 9H18M12 16h8",
    "CSIDriver": "M11.5 5.5v5.5M20.5 5.5v5.5M7.5 11h17v4a8.5 8.5 0 0 1-17 0zM16 23.5v3.5",
    "CSINode": "o 16 16 10.5|M13 9v3.5M19 9v3.5M11 12.5h10v2.3a5 5 0 0 1-10 0zM16 19.8V23",
    "CSIStorageCapacity": f"{_DRUM}|*M7.5 17c2 1.5 5 2 8.5 2s6.5-.5 8.5-2v6c0 1.7-3.8 3-8.5 3s-8.5-1.3-8.5-3z",
    "StorageVersionMigration": "r 5.5 8 6.5 16 2|*r 20 8 6.5 16 2|M13.5 16h4M16 13.5l2.3 2.5-2.3 2.5",
    # access
    "ServiceAccount": "r 7 12 18 13 3|M16 12V8.5|*o 16 7 2|*o 12 17.5 1.7|*o 20 17.5 1.7|M12.8 21.7h6.4",
    "Role": "o 11 16 4.5|M15.5 16H26M21.5 16v4M26 16v3",
    "ClusterRole": f"o 11 12.5 4.5|M15.5 12.5H26M21.5 12.5v4M26 12.5v3|{_WHOLE_CLUSTER}",
    "RoleBinding": "o 11 11 3.3|M5 23.5c0-4.5 2.6-6.5 6-6.5s6 2 6 6.5|o 22 11.5 3|M22 14.5v9M22 18.5h3.5M22 23h3.5",
    "ClusterRoleBinding": "o 11 8 3.3|M5 20.5c0-4.5 2.6-6.5 6-6.5s6 2 6 6.5"
    f"|o 22 8.5 3|M22 11.5V20.5M22 15.5h3.5M22 20h3.5|{_WHOLE_CLUSTER}",
    "CertificateSigningRequest": "M13 20H7.5a2 2 0 0 1-2-2V8.5a2 2 0 0 1 2-2h17a2 2 0 0 1 2 2V15|M10 11h12M10 15.5h5"
    "|*o 21 19 3.3|M19.3 21.5V27l1.7-1.3 1.7 1.3v-5.5",
    "ClusterTrustBundle": "M16 5l9 3.2v7.3c0 5.3-3.7 8.9-9 11.5-5.3-2.6-9-6.2-9-11.5V8.2z|M12 15.7l3 3 5-5.8",
    "PodCertificateRequest": "M14 20H7.5a2 2 0 0 1-2-2V8.5a2 2 0 0 1 2-2h17a2 2 0 0 1 2 2V13|M10 11h12M10 15.5h4"
    "|*M21.5 15.5l5 2.8v5.6l-5 2.8-5-2.8v-5.6z",
    # cluster
    "Namespace": "-r 5.5 6.5 21 19 3|*r 10 11 5 4.4 1|*r 17 11 5 4.4 1|*r 10 17 12 4.4 1",
    "Node": "r 6.5 6 19 8.5 2|r 6.5 17.5 19 8.5 2|*o 11 10.2 1.6|*o 11 21.8 1.6|M15.5 10.2h6M15.5 21.8h6",
    "ResourceQuota": "M7.2 23.5a10.3 10.3 0 1 1 17.6 0|M16 18.5l4.5-6|*o 16 18.5 2.2",
    "LimitRange": "M6.5 7.5v17M25.5 7.5v17|M10.5 16h11M13.5 12.5L10 16l3.5 3.5M18.5 12.5L22 16l-3.5 3.5",
    "Event": "*M18 5L8.5 18H15l-1.5 9L23.5 13H17z",
    "Lease": "M9.5 6h13M9.5 26h13M11.3 6v3.5c0 3.2 4.7 4 4.7 6.5s-4.7 3.3-4.7 6.5V26"
    "M20.7 6v3.5c0 3.2-4.7 4-4.7 6.5s4.7 3.3 4.7 6.5V26",
    "LeaseCandidate": "M6.5 23.5V10.5l5 5L16 7.5l4.5 8 5-5v13z",
    "FlowSchema": "M6 7h20l-7.5 9.5v7.5L13.5 26.5V16.5z",
    "PriorityLevelConfiguration": "M7 9h18M7 16h12M7 23h6",
    # scheduling
    "HorizontalPodAutoscaler": "*r 13.5 11 5 10 1.5|M10 12l-4 4 4 4M22 12l4 4-4 4",
    "PodDisruptionBudget": "M5.5 16.5a10.5 9.5 0 0 1 21 0zM16 16.5v7a2.8 2.8 0 0 1-5.6 0M16 5v2",
    "PriorityClass": f"{_HEXAGON}|M11.5 15.8l4.5-4.5 4.5 4.5M11.5 20.8l4.5-4.5 4.5 4.5",
    "RuntimeClass": f"{_HEXAGON}|*M13.5 11.5l7 4.5-7 4.5z",
    "Eviction": "*M16 6.5l9 10.5H7z|M7.5 23.5h17",
    "EvictionRequest": "M16 6.5l9 10.5H7z|M7.5 23.5h3M14.5 23.5h3M21.5 23.5h3",
    # extensions
    "CustomResourceDefinition": "M6.5 11.5H12a3 3 0 1 1 5.8 0h5.2v5a3 3 0 1 1 0 5.6v4.4H6.5z",
    "APIService": "M10.5 10l-5.5 6 5.5 6M21.5 10l5.5 6-5.5 6M18.5 7.5l-5 17",
    "MutatingWebhookConfiguration": f"{_HOOK}|{_PENCIL}",
    "ValidatingWebhookConfiguration": f"{_HOOK}|{_CHECK}",
    "MutatingAdmissionPolicy": f"{_RULES}|{_PENCIL}",
    "ValidatingAdmissionPolicy": f"{_RULES}|{_CHECK}",
    "MutatingAdmissionPolicyBinding": f"{_LINK}|{_PENCIL}",
    "ValidatingAdmissionPolicyBinding": f"{_LINK}|{_CHECK}",
    # devices
    "DeviceClass": f"{_HEXAGON}|r 12.5 12.5 7 7 1|M16 9.8v2.7M16 19.5v2.7M9.8 16h2.7M19.5 16h2.7",
    "DeviceTaintRule": f"{_CHIP}|M16 12.8v3.4|*o 16 19.2 1.2",
    "ResourceClaim": f"{_CHIP}|M13 16.2l2.2 2.2 4-4.6",
    "ResourceClaimTemplate": f"-r 10 10 12 12 2|{_CHIP_PINS}|M13 16.2l2.2 2.2 4-4.6",
    "ResourceSlice": f"{_CHIP}|M13.2 13.5h5.6M13.2 16h5.6M13.2 18.5h5.6",
    "ResourcePoolStatusRequest": "*r 6 17 5 9 1|*r 13.5 11.5 5 14.5 1|*r 21 6 5 20 1",
    # remarks, and what is outside
    "Text": "M7.5 10V7.5h17V10M16 7.5v17M12.5 24.5h7",
    "Note": "M7 6.5h18v12l-7 7H7zM25 18.5h-7v7|M11 11.5h10M11 15.5h6",
    "Section": "M6 11V8a2 2 0 0 1 2-2h3M21 6h3a2 2 0 0 1 2 2v3M26 21v3a2 2 0 0 1-2 2h-3M11 26H8a2 2 0 0 1-2-2v-3",
    "User": "o 16 11 5|M6.5 26c0-5.5 4-8 9.5-8s9.5 2.5 9.5 8",
    "Group": "o 12 12 4|M5 25c0-5 2.8-7 7-7s7 2 7 7|M19.5 8.4a4 4 0 0 1 0 7.2M22.3 18.6c3 .9 4.7 3 4.7 6.4",
    "Internet": "o 16 16 10|e 16 16 4.3 10|M6 16h20M7.4 10.8h17.2M7.4 21.2h17.2",
    "Server": "r 8 5.5 16 21 2|M12 10.5h8M12 14.5h8|*o 16 21.5 1.7",
    "Database": f"{_DRUM}|*e 16 9 8.5 3|M7.5 16c0 1.7 3.8 3 8.5 3s8.5-1.3 8.5-3",
}
