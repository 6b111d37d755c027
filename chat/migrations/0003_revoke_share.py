from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("chat", "0002_branding")]

    operations = [
        migrations.AlterModelOptions(
            name="session",
            options={
                "default_permissions": ("view", "delete"),
                "managed": False,
                "permissions": [
                    ("view_transcript", "Can read transcripts and search in them"),
                    ("export_session", "Can export transcripts"),
                    ("stop_session", "Can stop replies"),
                    ("requeue_session", "Can queue messages again"),
                    ("extend_session", "Can extend sessions"),
                    ("expire_session", "Can expire sessions"),
                    ("revoke_share", "Can revoke read-only links"),
                ],
            },
        ),
    ]
