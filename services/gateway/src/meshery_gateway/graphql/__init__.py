"""GraphQL: Meshery's schema of 2024 and our own types, over HTTP and WebSocket. One resolver module per area.

What must not be in here: decisions about what somebody may do (the services decide), SQL, cluster access.
"""
