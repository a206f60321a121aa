"""Who sees what, and what was recorded when."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser

from environments import selectors
from environments.errors import CameraNotFoundError, EnvironmentNotFoundError, PermissionDeniedError
from environments.models import Role
from environments.services import recording_register
from environments.spans import Span

pytestmark = pytest.mark.django_db


def record(camera, start, seconds):
    return recording_register(camera=camera, uri=f"{start}.mp4", started_at=start, duration_s=seconds, fps=10)


def test_members_and_superusers_see_an_environment(yard, operator, superuser):
    assert selectors.environment_get(user=operator, slug="yard") == yard
    assert selectors.role_of(user=operator, environment=yard) == Role.OPERATOR
    assert selectors.environment_get(user=superuser, slug="yard") == yard
    assert selectors.role_of(user=superuser, environment=yard) == Role.ADMIN


def test_others_cannot_tell_it_from_one_that_does_not_exist(yard, stranger):
    errors = []
    for user, slug in ((stranger, "yard"), (stranger, "nowhere"), (AnonymousUser(), "yard")):
        assert not selectors.environments_visible_to(user).exists()
        with pytest.raises(EnvironmentNotFoundError) as caught:
            selectors.environment_get(user=user, slug=slug)
        errors.append((caught.value.code, caught.value.message, caught.value.details))
    assert errors[0] == errors[1] == errors[2]
    assert selectors.role_of(user=stranger, environment=yard) is None
    assert selectors.role_of(user=AnonymousUser(), environment=yard) is None


def test_deactivated_users_and_environments_are_closed(yard, operator, viewer):
    operator.is_active = False
    assert selectors.role_of(user=operator, environment=yard) is None
    assert not selectors.environments_visible_to(operator).exists()
    yard.is_active = False
    yard.save()
    with pytest.raises(EnvironmentNotFoundError):
        selectors.environment_get(user=viewer, slug="yard")


def test_a_role_covers_the_lesser_ones(yard, operator):
    for enough in (Role.VIEWER, Role.OPERATOR):
        assert selectors.require_role(user=operator, environment=yard, role=enough) == Role.OPERATOR
    with pytest.raises(PermissionDeniedError, match="needs the role Admin; yours here is Operator"):
        selectors.require_role(user=operator, environment=yard, role="admin")


def test_a_stranger_needing_a_role_learns_nothing(yard, stranger):
    with pytest.raises(EnvironmentNotFoundError):
        selectors.require_role(user=stranger, environment=yard, role=Role.VIEWER)


def test_cameras_by_name(yard):
    assert [c.slug for c in selectors.cameras_of(yard)] == ["c01", "c02"]
    assert [c.slug for c in selectors.cameras_of(yard, ["c02"])] == ["c02"]
    with pytest.raises(CameraNotFoundError, match="no active camera c09; it has c01, c02"):
        selectors.cameras_of(yard, ["c02", "c09"])


def test_recordings_overlapping_a_span(camera):
    nine = datetime(2026, 1, 5, 9, tzinfo=UTC)
    first = record(camera, nine, 60)
    second = record(camera, nine + timedelta(minutes=5), 60)

    def found(start_s, end_s):
        start, end = (nine + timedelta(seconds=s) for s in (start_s, end_s))
        return selectors.recordings_overlapping(camera=camera, start=start, end=end)

    assert found(-10, 1000) == [first, second]
    assert found(59, 300) == [first]
    assert found(60, 300) == []
    assert found(300, 301) == [second]


def test_recorded_spans_per_camera_and_in_common(yard, camera):
    nine = datetime(2026, 1, 5, 9, tzinfo=UTC)
    record(camera, nine, 3600)
    record(camera, nine + timedelta(hours=1), 3600)
    record(yard.cameras.get(slug="c02"), nine + timedelta(minutes=90), 3600)
    # known to exist, but not probed: no data yet
    recording_register(camera=camera, uri="later.mp4", started_at=nine + timedelta(days=1))
    ranges = selectors.date_ranges(yard)
    assert ranges.cameras["c01"] == [Span(nine, nine + timedelta(hours=2))]
    assert ranges.common == [Span(nine + timedelta(minutes=90), nine + timedelta(hours=2))]
    assert (ranges.start, ranges.end) == (nine, nine + timedelta(minutes=150))


def test_a_camera_without_recordings_does_not_empty_the_intersection(yard, camera):
    nine = datetime(2026, 1, 5, 9, tzinfo=UTC)
    record(camera, nine, 60)
    ranges = selectors.date_ranges(yard)
    assert ranges.cameras["c02"] == []
    assert ranges.common == [Span(nine, nine + timedelta(seconds=60))]


def test_days_are_cut_at_local_midnight(yard, camera):
    record(camera, datetime(2026, 1, 5, 22, 30, tzinfo=UTC), 3600)
    ranges = selectors.date_ranges(yard)
    assert [day.date for day in ranges.days_utc] == [date(2026, 1, 5)]
    assert [day.date for day in ranges.days_local] == [date(2026, 1, 5), date(2026, 1, 6)]
    assert [day.cameras["c01"][0].duration_s for day in ranges.days_local] == [1800, 1800]
    assert [day.common[0].duration_s for day in ranges.days_local] == [1800, 1800]


def test_nothing_recorded_is_no_range(yard):
    ranges = selectors.date_ranges(yard)
    assert (ranges.start, ranges.end, ranges.common, ranges.days_local) == (None, None, [], [])
