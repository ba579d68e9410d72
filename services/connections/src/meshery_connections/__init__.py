"""Connections: what we are connected to, the credentials for it, and what is done to objects in clusters.

The only service that holds credentials of clusters; nobody else ever sees one.
"""
