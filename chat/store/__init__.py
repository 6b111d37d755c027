"""Redis: what is stored of a session and of the cluster, and the commands that change it."""
