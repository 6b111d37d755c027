"""What Django's admin needs to show sessions: a model without a table.

The sessions are in Redis alone. The model gives them a name, a page's address and permissions, and
its instances are rows of the admin's list.
"""

from typing import ClassVar

from django.db import models

from chat.store.inspection import Summary


class Session(models.Model):
    """A row of the list: what it can be sorted by, and the whole summary.

    `id` is the hash under which a token's session is stored.
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
        ]

    @classmethod
    def of(cls, summary: Summary) -> "Session":
        """Return the row of a session."""
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
        """Return the id: this text is kept in the admin's log, where no visitor's name belongs."""
        return self.id
