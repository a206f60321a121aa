"""Turn the (still empty) time-series tables into hypertables or native partitioned tables."""

from django.db import migrations

from tracking.timeseries import TABLES, timescale_available

FOREIGN_KEYS = {
    "tracking_detection": {
        "task_id": "tracking_processingtask",
        "camera_id": "environments_camera",
        "person_id": "tracking_person",
    },
    "tracking_position": {"task_id": "tracking_processingtask", "person_id": "tracking_person"},
}


def to_time_series(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        if timescale_available(cursor):
            cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            for table in TABLES:
                cursor.execute("SELECT create_hypertable(%s, by_range('captured_at', INTERVAL '1 day'))", [table])
            return
        for table in TABLES:
            partition(cursor, table)


def partition(cursor, table):
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT LIKE '%%_pkey'", [table]
    )
    indexes = cursor.fetchall()
    cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_plain")
    cursor.execute(
        f"CREATE TABLE {table} (LIKE {table}_plain INCLUDING DEFAULTS INCLUDING CONSTRAINTS) "
        "PARTITION BY RANGE (captured_at)"
    )
    cursor.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'",
        [f"{table}_plain"],
    )
    primary_key = cursor.fetchone()[0]
    cursor.execute(f"DROP TABLE {table}_plain")
    cursor.execute(f"ALTER TABLE {table} ADD {primary_key}")
    for column, target in FOREIGN_KEYS[table].items():
        cursor.execute(
            f"ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {target} (id) DEFERRABLE INITIALLY DEFERRED"
        )
    for _, definition in indexes:
        cursor.execute(definition)
    cursor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


class Migration(migrations.Migration):
    dependencies = [("tracking", "0001_initial")]
    operations = [migrations.RunPython(to_time_series, migrations.RunPython.noop)]
