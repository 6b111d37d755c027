"""The store on a Redis Cluster, whose primaries share the sessions."""
