"""What operators see and do in the admin: session search, session pages, actions, the dashboard."""
