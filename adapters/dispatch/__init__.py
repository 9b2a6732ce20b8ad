"""Spreads the work of delivering over nodes that share a store, through a broker that may lose everything."""
