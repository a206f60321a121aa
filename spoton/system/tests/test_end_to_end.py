"""The running product measured: what workers in other processes did shows in one scrape of the web server."""

from __future__ import annotations

import base64

import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def test_a_processed_scene_shows_in_metrics_and_performance(product):
    token, seen = product.token(), []

    def look(task_id: str) -> None:
        status, _, answer = product.request("GET", "/api/v1/system/performance", token=token)
        assert status == 200, answer
        seen.append(answer["data"])

    before = scrape(product, token)
    task = product.run_task(token, meanwhile=look)
    assert task["status"] == "COMPLETED", task
    after = scrape(product, token)
    new = {name: value - before.get(name, 0) for name, value in after.items()}
    for camera in task["cameras"]:
        frames = task["camera_status"][camera]["frames"]
        assert frames == new["spoton_frames_total", camera, "campus"] > 0
    batches = task["batches"]["done"]
    for stage, times in (("queue", len(task["cameras"])), ("associate", 1), ("record", 1), ("publish", 1)):
        assert new["spoton_stage_seconds_count", stage] == times * batches
    assert new["spoton_stage_seconds_sum", "detect"] > 0
    assert after["spoton_workers", "associate"] == 1
    assert after["spoton_up", "workers"] == 1
    busiest = max(seen, key=lambda data: data["frames_per_second"])
    assert busiest["frames_per_second"] > 0
    assert {"queue", "decode", "detect", "embed", "associate", "record", "publish"} <= set(busiest["stages"])


def test_a_person_is_found_by_their_picture_also_with_models_read_again(product):
    """Web server, media worker and perceive workers are processes of their own."""
    token = product.token()
    assert product.run_task(token)["status"] == "COMPLETED"
    ((person,),) = product.rows(
        "SELECT person_id FROM tracking_detection GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    )
    status, _, answer = product.request("GET", f"/api/v1/tracking/persons/{person}/details", token=token)
    assert status == 200, answer
    assert answer["data"]["movement_metrics"]["total_distance"] > 1
    address = answer["data"]["cropped_images"][0]
    for actions in ([], ["reload_models", "clear_caches"]):
        if actions:
            status, _, answer = product.request(
                "POST", "/api/v1/system/maintenance", {"actions": actions}, token
            )
            assert status == 202, answer
        status, _, picture = product.request("GET", address, token=token)
        assert status == 200
        uri = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
        body = {"environment_id": "campus", "image": uri, "limit": 3}
        status, _, found = product.request("POST", "/api/v1/tracking/persons/search", body, token)
        assert status == 200, found
        assert found["data"]["embedder"] == "descriptor"
        assert str(person) in [alike["global_person_id"] for alike in found["data"]["persons"]]


def scrape(product, token: str) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of their names) to value."""
    status, _, content = product.request("GET", "/metrics", token=token)
    assert status == 200
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
    }
