"""The service runtime: start, supervise and stop; bus, database, outbox, operations; settings and telemetry.

Entry rules. A thing belongs here when three members use it today, when it is free of any Meshery noun, keeps
no state at module level (the request context excepted) and its tests run without another member. Message
models belong to meshery_contracts, Kubernetes to meshery_kube, fixtures to meshery_testkit.
"""
