"""Merging and splitting persons: rows know whom the engine took them for, and the history is kept."""

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


def fill(model):
    """Until now, everybody was whom the engine took them for."""

    def run(apps, schema_editor):
        schema_editor.execute(f"UPDATE tracking_{model} SET origin_id = person_id")

    return run


def primary_key(model, columns):
    """Another primary key: Django cannot alter composite ones."""

    def run(apps, schema_editor):
        table = f"tracking_{model}"
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'", [table]
            )
            name = cursor.fetchone()[0]
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}", ADD PRIMARY KEY ({columns})')

    return run


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0001_initial'),
        ('tracking', '0002_timeseries'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='appearance',
            name='origin_id',
            field=models.UUIDField(help_text='Whom the engine took them for.', null=True),
        ),
        migrations.RunPython(fill('appearance'), migrations.RunPython.noop),
        migrations.AlterField(
            model_name='appearance',
            name='origin_id',
            field=models.UUIDField(help_text='Whom the engine took them for.'),
        ),
        migrations.AddField(
            model_name='detection',
            name='origin_id',
            field=models.UUIDField(help_text='Whom the engine took them for; null: the person.', null=True),
        ),
        migrations.AddField(
            model_name='position',
            name='origin_id',
            field=models.UUIDField(help_text='Whom the engine took them for; null: the person.', null=True),
        ),
        migrations.AddField(
            model_name='processingtask',
            name='matched_at',
            field=models.DateTimeField(help_text='When its persons were compared with those of other tasks.', null=True),
        ),
        migrations.AddField(
            model_name='trajectory',
            name='origin_id',
            field=models.UUIDField(help_text='Whom the engine took them for.', null=True),
        ),
        migrations.RunPython(fill('trajectory'), migrations.RunPython.noop),
        migrations.AlterField(
            model_name='trajectory',
            name='origin_id',
            field=models.UUIDField(help_text='Whom the engine took them for.'),
        ),
        migrations.AddField(
            model_name='trajectory',
            name='path_offset',
            field=models.IntegerField(default=0, help_text='Points of the path before this part.'),
        ),
        migrations.AddField(
            model_name='trajectory',
            name='path_points',
            field=models.IntegerField(help_text='Points of the path this is a part of.', null=True),
        ),
        migrations.AddField(
            model_name='trajectory',
            name='path_started_at',
            field=models.DateTimeField(help_text='Start of the path this is a part of.', null=True),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='appearance',
                    name='pk',
                    field=models.CompositePrimaryKey('task_id', 'origin_id', blank=True, editable=False, primary_key=True, serialize=False),
                ),
                migrations.AlterField(
                    model_name='trajectory',
                    name='pk',
                    field=models.CompositePrimaryKey('task_id', 'origin_id', 'started_at', blank=True, editable=False, primary_key=True, serialize=False),
                ),
            ],
            database_operations=[
                migrations.RunPython(primary_key('appearance', 'task_id, origin_id'), migrations.RunPython.noop),
                migrations.RunPython(primary_key('trajectory', 'task_id, origin_id, started_at'), migrations.RunPython.noop),
            ],
        ),
        migrations.CreateModel(
            name='PersonChange',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('merge', 'Merge'), ('split', 'Split')], max_length=8)),
                ('source', models.CharField(choices=[('operator', 'Operator'), ('feedback', 'Feedback'), ('appearance', 'Appearance')], max_length=12)),
                ('person_id', models.UUIDField(db_index=True, help_text='Merge: who remains. Split: who was split.')),
                ('other_id', models.UUIDField(db_index=True, help_text='Merge: who was merged into them. Split: who is new.')),
                ('reason', models.TextField(blank=True)),
                ('details', models.JSONField(default=dict, help_text='Split: from, task, tracks. By appearance: similarity and deviations.')),
                ('origins', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), help_text="The engine's persons whose rows it moved.", size=None)),
                ('aliases_before', models.JSONField(help_text='Their aliases before: per origin, [since or null, person].')),
                ('renamed', models.JSONField(default=dict, help_text='Split of a part: new origin of the moved rows, per origin before.')),
                ('spans_before', models.JSONField(help_text='Per person: first and last seen before.')),
                ('created_at', models.DateTimeField()),
                ('undone_at', models.DateTimeField(null=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='person_changes', to='environments.environment')),
                ('undone_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='PersonFeedback',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('verdict', models.CharField(choices=[('up', 'Up'), ('down', 'Down')], max_length=4)),
                ('person_id', models.UUIDField(db_index=True)),
                ('candidate_id', models.UUIDField(db_index=True, help_text='The other person of the pair.', null=True)),
                ('at', models.DateTimeField(null=True)),
                ('notes', models.TextField(blank=True)),
                ('confidence', models.FloatField(help_text='0 to 1: how sure whoever said it was.', null=True)),
                ('source', models.CharField(help_text='Where it was said, for example console.', max_length=64)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('camera', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='environments.camera')),
                ('change', models.ForeignKey(blank=True, help_text='The merge or split that it made or undid.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='feedback', to='tracking.personchange')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='person_feedback', to='environments.environment')),
                ('task', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tracking.processingtask')),
            ],
            options={
                'verbose_name_plural': 'person feedback',
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='SparePosition',
            fields=[
                ('pk', models.CompositePrimaryKey('task_id', 'captured_at', 'origin_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('captured_at', models.DateTimeField()),
                ('origin_id', models.UUIDField(help_text='Whom the engine took them for.')),
                ('instant', models.IntegerField()),
                ('x_m', models.FloatField()),
                ('y_m', models.FloatField()),
                ('vx_m_s', models.FloatField()),
                ('vy_m_s', models.FloatField()),
                ('sigma_m', models.FloatField()),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tracking.person')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tracking.processingtask')),
            ],
        ),
        migrations.CreateModel(
            name='PersonAlias',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('origin_id', models.UUIDField()),
                ('since', models.DateTimeField(null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='aliases', to='tracking.person')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('origin_id', 'since'), name='alias_once_per_time', nulls_distinct=False)],
            },
        ),
        migrations.AddIndex(
            model_name='personchange',
            index=models.Index(fields=['environment', '-created_at'], name='change_recent'),
        ),
        migrations.AddConstraint(
            model_name='personfeedback',
            constraint=models.CheckConstraint(condition=models.Q(('candidate_id__isnull', False), ('at__isnull', False), _connector='OR'), name='feedback_is_about_something'),
        ),
        migrations.AddConstraint(
            model_name='personfeedback',
            constraint=models.CheckConstraint(condition=models.Q(('confidence__range', (0, 1))), name='feedback_confidence_is_a_share'),
        ),
    ]
