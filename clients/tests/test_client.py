"""Both clients against the running product: what the descriptions alone cannot show."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from spoton_client import ApiError, AsyncSpotOn, SignedOutError, SocketClosedError, SpotOn, UnreachableError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
NOBODY = "00000000-0000-4000-8000-000000000000"


def test_errors_are_told_in_full(spoton: SpotOn) -> None:
    with pytest.raises(ApiError) as refused:
        spoton.processing_tasks_status(NOBODY)

    error = refused.value
    assert (error.code, error.status, error.details) == ("task_not_found", 404, {})
    assert error.message
    assert error.request_id


def test_a_wrong_password_is_an_error(product: Any) -> None:
    with SpotOn(product.base_url, "nobody", "wrong") as stranger, pytest.raises(ApiError) as refused:
        stranger.auth_me()

    assert refused.value.code == "invalid_credentials"


def test_nobody_there() -> None:
    with SpotOn("http://127.0.0.1:9", "ada", "secret") as client, pytest.raises(UnreachableError):
        client.sign_in()


def test_threads_share_one_renewal(product: Any) -> None:
    """The token has been revoked for all of them at once; a refresh token works only once."""
    with SpotOn(product.base_url, product.username, product.password) as client:
        client.sign_in()
        before = client._session._tokens
        client._session._tokens = type(before)("stale", before.refresh, before.expires_at)
        with ThreadPoolExecutor(8) as threads:
            names = list(threads.map(lambda _: client.auth_me()["username"], range(16)))
        assert names == ["demo"] * 16
        assert client._session._tokens.refresh != before.refresh

        client.log_out()
        with pytest.raises(SignedOutError):
            client.auth_me()


async def test_tasks_share_one_renewal(product: Any) -> None:
    async with AsyncSpotOn(product.base_url, product.username, product.password) as client:
        await asyncio.gather(*(client.auth_me() for _ in range(8)))
        before = client._session._tokens
        client._session._tokens = type(before)("stale", before.refresh, before.expires_at)
        await asyncio.gather(*(client.auth_me() for _ in range(8)))
        assert client._session._tokens.access != before.access
        await client.log_out()
        with pytest.raises(SignedOutError):
            await client.auth_me()


async def test_lists_are_iterated_over_pages(patient: AsyncSpotOn, spoton: SpotOn) -> None:
    whole = [camera["camera_id"] for camera in spoton.environments_cameras("campus")]
    assert len(whole) >= 4

    assert [c["camera_id"] for c in spoton.environments_cameras("campus", limit=1)] == whole
    assert [c["camera_id"] async for c in patient.environments_cameras("campus", limit=3)] == whole


def test_a_picture_is_sent_as_a_file(spoton: SpotOn, product: Any, processed: tuple[str, str]) -> None:
    seen = "SELECT person_id FROM tracking_detection WHERE task_id = %s GROUP BY 1 ORDER BY count(*) DESC"
    person_id = str(product.rows(seen, processed[0])[0][0])
    picture = spoton.media_person_image(person_id)

    found = spoton.persons_search(image=picture, environment_id="campus", limit=100)
    assert found["embedder"]
    assert person_id in [alike["global_person_id"] for alike in found["persons"]]


def test_deltas_are_full_updates(spoton: SpotOn) -> None:
    """Two viewers of the same task: the one who gets changes sees what the one who gets everything sees."""
    task_id = spoton.processing_tasks_start(environment_id="campus", pacing="max")["task_id"]
    cameras = ["c01", "c02"]
    with (
        spoton.tracking(task_id, cameras=cameras) as full,
        spoton.tracking(task_id, cameras=cameras, mode="delta", batching=True) as thin,
    ):
        thin_ones, full_ones = (_updates(socket) for socket in (thin, full))
    both = full_ones.keys() & thin_ones.keys()
    assert len(both) > 40
    for index in both:
        assert _without_durations(thin_ones[index]) == _without_durations(full_ones[index])
        for name, camera in full_ones[index]["cameras"].items():
            of_thin, of_full = (
                [track["tracking_duration"] for track in tracks]
                for tracks in (thin_ones[index]["cameras"][name]["tracks"], camera["tracks"])
            )
            # cameras take their pictures a moment before or after the instant's own time
            assert of_thin == pytest.approx(of_full, abs=0.11)


def _updates(socket: Any) -> dict[int, dict[str, Any]]:
    """Until the task has ended, by instant; tracks in order."""
    found = {}
    for message in socket:
        if message.type == "tracking_update":
            for camera in message.payload["cameras"].values():
                camera["tracks"].sort(key=lambda track: track["track_id"])
            found[message.payload["global_frame_index"]] = message.payload
    assert socket.close_code == 4409
    return found


def _without_durations(update: dict[str, Any]) -> dict[str, Any]:
    cameras = {
        name: {**camera, "tracks": [{**t, "tracking_duration": 0} for t in camera["tracks"]]}
        for name, camera in update["cameras"].items()
    }
    return {**update, "cameras": cameras}


async def test_pictures_arrive_as_asked_for(patient: AsyncSpotOn, played: str) -> None:
    options = {"cameras": ["c01"], "overlay": True, "format": "webp", "max_rate": 5}
    async with patient.frames(played, **options) as socket:
        async for picture in socket:
            assert picture.header["camera_id"] == "c01"
            assert (picture.header["overlay"], picture.header["format"]) == (True, "webp")
            assert picture.image[8:12] == b"WEBP"
            if picture.header["seq"] > 5:
                break


async def test_who_is_cut_off_comes_back(patient: AsyncSpotOn, played: str) -> None:
    async with patient.tracking(played, cameras=["c01"]) as socket:
        indices: list[int] = []
        async for message in socket:
            if message.type != "playback_frame":
                continue
            frame = message.payload["frame_data"]
            assert list(frame["cameras"]) == ["c01"]
            indices.append(frame["global_frame_index"])
            if len(indices) == 5:
                socket._connection.transport.abort()
            if len(indices) == 10:
                break
    assert socket.close_code == 1006
    assert indices == sorted(set(indices)), "nothing twice, nothing backwards"


async def test_who_was_signed_out_comes_back_with_a_new_token(product: Any, played: str) -> None:
    async with AsyncSpotOn(product.base_url, product.username, product.password) as client:
        await client.sign_in()
        good = client._session._tokens
        client._session._tokens = type(good)("stale", good.refresh, good.expires_at)
        async with client.tracking(played) as socket:
            assert (await anext(socket)).type == "task_status"
        assert socket.close_code == 4401


def test_sockets_of_strangers_are_refused(spoton: SpotOn) -> None:
    with spoton.tracking(NOBODY) as socket, pytest.raises(SocketClosedError) as refused:
        next(socket)

    assert (refused.value.code, refused.value.status) == ("task_not_found", 4404)


def test_options_that_are_refused_are_an_error(spoton: SpotOn, played: str) -> None:
    with spoton.tracking(played, cameras=["c99"]) as socket, pytest.raises(ApiError) as refused:
        for _ in socket:
            pass

    assert (refused.value.code, refused.value.status) == ("camera_not_found", 0)


def test_the_other_sockets_speak(spoton: SpotOn, played: str) -> None:
    for socket, kind in (
        (spoton.focus(played), "focus_update"),
        (spoton.analytics("campus"), "analytics_update"),
        (spoton.system(), "system_update"),
    ):
        with socket:
            message = next(socket)
            assert (message.type, message.seq) == (kind, 1)
            # a second one proves that nothing is gone wrong between them
            socket.send({"type": "resync"})
            assert next(socket).seq == 2


def test_a_stream_is_iterated_picture_by_picture(spoton: SpotOn, played: str) -> None:
    stream = spoton.media_stream(played, "c01", width=320, max_rate=5)

    pictures = [next(stream) for _ in range(3)]
    stream.close()
    assert all(picture[:2] == b"\xff\xd8" and picture[-2:] == b"\xff\xd9" for picture in pictures)
