"""Identity: owns people, organisations, teams, roles, keys, workspaces, preferences and tokens.

It says who somebody is and what he may do, and signs that. What must not be in here: deciding about single
designs or connections; their own services do, from what identity signed.
"""
