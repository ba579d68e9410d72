"""Connections: owns connections and their credentials; the only holder of cluster credentials."""
