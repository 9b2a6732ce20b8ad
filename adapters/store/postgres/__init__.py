"""hub.ports.Store over PostgreSQL, for several nodes that share one store."""

from adapters.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
