"""The durable memory: hub.ports.Store over SQLite, embedded; one writer that commits in groups."""
