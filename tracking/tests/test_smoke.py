import pytest

from tracking.timeseries import uses_partitions


@pytest.mark.django_db
def test_time_series_tables_are_partitioned():
    assert uses_partitions()
