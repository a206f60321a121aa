"""A person's colour and name."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.person_colours import colour_of, short_name

ADA = UUID("a9f1c0de-0000-4000-8000-000000000001")
BOB = UUID("0b0b0b0b-0000-4000-8000-000000000002")


def test_a_person_has_one_colour_and_one_name():
    assert colour_of(ADA) == colour_of(UUID(str(ADA)))
    assert colour_of(ADA) != colour_of(BOB)
    assert short_name(ADA) == "P-A9F1"


@given(st.uuids())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_colours_are_bright_enough_for_dark_names(person):
    b, g, r = colour_of(person)
    assert all(0 <= value <= 255 for value in (b, g, r))
    assert 0.114 * b + 0.587 * g + 0.299 * r > 60
