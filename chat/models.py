"""The model that Django's admin needs to show sessions. It has no table.

Sessions are stored in Redis only. The model gives them a name, URLs and permissions in the admin,
and its instances are rows of the admin's list.
"""

from typing import ClassVar

from django.db import models

from chat.store.inspection import Summary

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
