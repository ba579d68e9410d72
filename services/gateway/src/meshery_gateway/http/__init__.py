"""REST: Meshery's paths and shapes, answered by asking the services. One module per area.

What must not be in here: decisions about what somebody may do (the services decide), SQL, GraphQL.
"""
