"""Time series without the indexes that Django gives foreign keys: others begin with the same columns."""

import django.db.models.deletion
from django.db import migrations, models

NAMES = {
    "tracking_detection_task_id_21bb99a5": "tracking_detection (task_id)",
    "tracking_detection_camera_id_a8dbb35a": "tracking_detection (camera_id)",
    "tracking_detection_person_id_e8eff517": "tracking_detection (person_id)",
    "tracking_position_task_id_97d03a68": "tracking_position (task_id)",
    "tracking_position_person_id_2acc0537": "tracking_position (person_id)",
}


def drop(apps, schema_editor):
    for name in NAMES:
        schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


def create(apps, schema_editor):
    for name, columns in NAMES.items():
        schema_editor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")


def unindexed(model, field, to, related_name):
    key = models.ForeignKey(
        to, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name=related_name
    )
    return migrations.AlterField(model, field, key)


class Migration(migrations.Migration):
    dependencies = [
        ("environments", "0001_initial"),
        ("tracking", "0004_steering"),
    ]
    operations = [
        # not by AlterField itself: it would take the foreign keys away and check all rows anew
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop, create)],
            state_operations=[
                unindexed("detection", "task", "tracking.processingtask", "detections"),
                unindexed("detection", "camera", "environments.camera", "+"),
                unindexed("detection", "person", "tracking.person", "detections"),
                unindexed("position", "task", "tracking.processingtask", "positions"),
                unindexed("position", "person", "tracking.person", "positions"),
            ],
        )
    ]
