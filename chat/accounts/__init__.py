"""Log-in of the admin's users: limits, the second factor and the audit log."""
