"""The models of Django's admin: sessions, which have no table, the site's branding, the audit log.

Sessions are stored in Redis only. Their model gives them a name, URLs and permissions in the admin,
and its instances are rows of the admin's list.
"""

from typing import ClassVar

from django.db import models

from chat.store.operation.inspection import Summary

# What an operator needs to step into a conversation, and to take one over from another operator.
STEP_IN = ("chat.view_session", "chat.view_transcript", "chat.takeover_session")
REPLACE_OPERATOR = "chat.replace_operator"


class Session(models.Model):
    """A row of the list: the fields it can be sorted by, and the summary.

    `id` is a hash of the session's token.
    """

    id = models.CharField("session id", primary_key=True, max_length=32)
    name = models.CharField(max_length=100)
    started = models.DateTimeField()
    last = models.DateTimeField("last message", null=True)
    length = models.IntegerField("messages")
    summary: Summary

    class Meta:
        managed = False
        default_permissions = ("view", "delete")
        permissions: ClassVar = [
            ("view_transcript", "Can read transcripts and search in them"),
            ("export_session", "Can export transcripts"),
            ("stop_session", "Can stop replies"),
            ("requeue_session", "Can queue messages again"),
            ("extend_session", "Can extend sessions"),
            ("expire_session", "Can expire sessions"),
            ("revoke_share", "Can revoke read-only links"),
            ("takeover_session", "Can step into conversations"),
            ("replace_operator", "Can take conversations over from other operators"),
        ]

    @classmethod
    def from_summary(cls, summary: Summary) -> "Session":
        """Return a session's row."""
        row = cls(
            id=summary.id,
            name=summary.name,
            started=summary.started,
            last=summary.last,
            length=summary.messages,
        )
        row.summary = summary
        return row

    def __str__(self) -> str:
        """Return the id: Django's admin log stores this text and must hold no visitor's name."""
        return self.id


class AuditEntry(models.Model):
    """Who did what to which session. It contains no visitor's name, no text and no token.

    The user is a name and not a reference: the entry remains if the user is deleted.
    """

    class Action(models.TextChoices):
        """What was done."""

        LOGGED_IN = "logged_in", "logged in"
        LISTED = "listed", "listed sessions with texts"
        SEARCHED = "searched", "searched"
        READ = "read", "read a transcript"
        ANSWERED = "answered", "answered a visitor"
        EXPORTED = "exported", "exported"
        CHANGED = "changed", "changed"
        DELETED = "deleted", "deleted"

    at = models.DateTimeField("time", auto_now_add=True, db_index=True)
    user = models.CharField(max_length=150)
    address = models.CharField(max_length=45, blank=True)
    action = models.CharField(max_length=20, choices=Action)
    session = models.CharField("session ID", max_length=32, blank=True, db_index=True)
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-at", "-id")
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        """Return the entry in words."""
        return f"{self.user} {self.get_action_display()} {self.session}".strip()


class SiteBranding(models.Model):
    """What the admin's users entered of the site's branding: one row, with this primary key.

    An empty field means the setting. The form checks the values; `suggestions` is a list of texts,
    `links` a list of pairs of label and URL.
    """

    ONLY = 1

    name = models.CharField(max_length=100, blank=True)
    logo = models.BinaryField(default=bytes)
    accent = models.CharField("accent colour", max_length=7, blank=True)
    accent_dark = models.CharField("accent colour on dark pages", max_length=7, blank=True)
    welcome = models.TextField("welcome text", blank=True)
    suggestions = models.JSONField(default=list, blank=True)
    disclaimer = models.TextField(blank=True)
    banner = models.TextField(blank=True)
    banner_level = models.CharField(max_length=10, default="info")
    banner_closable = models.BooleanField("banner can be closed", default=True)
    links = models.JSONField(default=list, blank=True)
    language = models.CharField("default language", max_length=10, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "site branding"
        verbose_name_plural = "site branding"
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        """Return what the admin calls it."""
        return "Site branding"
