"""Who may say what on the bus: nkeys, NATS JWTs, accounts and roles, credentials files, signed records."""
