"""Stored pictures; a file whose row is deleted, by whomever, is noted in the same transaction."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


NOTE_FILES = """
CREATE FUNCTION tracking_note_left_pictures() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tracking_leftpicture (file) SELECT file FROM gone;
    RETURN NULL;
END $$;
"""
TRIGGER = """
CREATE TRIGGER note_left_pictures AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION tracking_note_left_pictures();
"""
TABLES = ("tracking_storedcrop", "tracking_snapshot")


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0001_initial'),
        ('tracking', '0006_overlay_config'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LeftPicture',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file', models.CharField(help_text='Name in the storage of pictures.', max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('instant', models.IntegerField()),
                ('frame', models.IntegerField(help_text='Presentation index within the source.')),
                ('captured_at', models.DateTimeField()),
                ('file', models.CharField(help_text='Name in the storage of pictures.', max_length=200)),
                ('width', models.PositiveIntegerField()),
                ('height', models.PositiveIntegerField()),
                ('note', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('camera', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='environments.camera')),
                ('environment', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='snapshots', to='environments.environment')),
                ('taken_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='snapshots', to='tracking.processingtask')),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['environment', '-created_at'], name='snapshot_recent')],
            },
        ),
        migrations.CreateModel(
            name='StoredCrop',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('track_id', models.IntegerField()),
                ('instant', models.IntegerField()),
                ('frame', models.IntegerField(help_text='Presentation index within the source.')),
                ('captured_at', models.DateTimeField()),
                ('origin_id', models.UUIDField(help_text='Whom the engine took them for; null: the person.', null=True)),
                ('quality', models.FloatField(help_text='How well it shows them; see `tracking.crops.quality_of`.')),
                ('file', models.CharField(help_text='Name in the storage of pictures.', max_length=200)),
                ('width', models.PositiveIntegerField()),
                ('height', models.PositiveIntegerField()),
                ('camera', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='environments.camera')),
                ('person', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='crops', to='tracking.person')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='crops', to='tracking.processingtask')),
            ],
            options={
                'indexes': [models.Index(fields=['person', 'camera', '-quality'], name='crop_best')],
            },
        ),
        migrations.RunSQL(
            NOTE_FILES + "".join(TRIGGER.format(table=table) for table in TABLES),
            "".join(f"DROP TRIGGER note_left_pictures ON {table};" for table in TABLES)
            + "DROP FUNCTION tracking_note_left_pictures();",
        ),
    ]
