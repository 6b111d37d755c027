"""Redis: sessions, leases, cluster state and statistics, and the commands that change them."""
