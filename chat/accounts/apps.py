"""The admin's configuration for Django: its site, and the audit log of log-ins."""

from django.contrib.admin.apps import AdminConfig


class OperatorAdminConfig(AdminConfig):
    default_site = "chat.accounts.operator_site.OperatorSite"

    def ready(self) -> None:
        """Find the admin modules, and log each log-in."""
        from chat.accounts import audit

        super().ready()
        audit.connect_signals()
