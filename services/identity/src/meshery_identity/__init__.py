"""Identity: owns people, organisations, keys, workspaces and tokens; signs who is asking."""
