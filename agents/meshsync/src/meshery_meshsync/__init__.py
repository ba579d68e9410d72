"""MeshSync: watches one or more clusters and reports what it sees; keeps no parsed object."""
