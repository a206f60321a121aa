"""Ids of what there is, so that requests get past "there is no such thing"."""

from __future__ import annotations

from spoton.product import Product

ENVIRONMENT = "campus"


def known_values(product: Product, token: str) -> dict[str, list[str]]:
    """Values by the name of a parameter or field, as the document has it. Processes the scene and makes one of each.

    Args:
        token: of an operator.
    """
    task = product.run_task(token)
    task_id, camera = task["task_id"], task["cameras"][0]
    pictures = f"/api/v1/media/frames/{task_id}/{camera}"
    persons = [
        str(row[0]) for row in product.rows("SELECT id FROM tracking_person ORDER BY first_seen_at LIMIT 4")
    ]
    halfway = product.rows(
        "SELECT first_seen_at + (last_seen_at - first_seen_at) / 2 FROM tracking_person WHERE id = %s",
        persons[0],
    )[0][0]
    split = {"from": halfway.isoformat()}
    change = product.ask("POST", f"/api/v1/tracking/persons/{persons[0]}/split", split, token)
    sessions = [
        product.ask("POST", f"/api/v1/environments/{ENVIRONMENT}/sessions", {"name": name}, token)
        for name in ("kept", "changed", "deleted")
    ]
    snapshots = [product.ask("POST", f"{pictures}/snapshot", {}, token) for _ in range(3)]
    # they stay as they are until somebody resumes or stops them
    paused = [product.start_task(token, pacing="realtime")["task_id"] for _ in range(2)]
    for one in paused:
        product.request("POST", f"/api/v1/processing-tasks/{one}/pause", token=token)
    crops = [str(row[0]) for row in product.rows("SELECT id FROM tracking_storedcrop LIMIT 3")]
    return {
        "env_id": [ENVIRONMENT],
        "environment_id": [ENVIRONMENT],
        "camera_id": task["cameras"],
        "task_id": [task_id, *paused],
        "person_id": persons,
        "change_id": [change["change_id"]],
        "session_id": [session["session_id"] for session in sessions],
        "snapshot_id": [snapshot["snapshot_id"] for snapshot in snapshots],
        **({"crop_id": crops} if crops else {}),
    }


def operator_token(product: Product, password: str) -> str:
    """Of a new user who is an operator, and nothing more."""
    path = product.var_dir / "fuzz-password"
    path.write_text(password)
    product.manage("create_user", "fuzz-operator", "--password-file", str(path))
    product.manage("add_member", "fuzz-operator", ENVIRONMENT, "operator")
    body = {"username": "fuzz-operator", "password": password}
    return product.ask("POST", "/api/v1/auth/login", body)["access"]


def stop_all(product: Product, token: str) -> None:
    """Stop the tasks that were started, so that they take nothing from what comes next."""
    for task in product.ask("GET", "/api/v1/processing-tasks/active", None, token):
        product.request("POST", f"/api/v1/processing-tasks/{task['task_id']}/stop", token=token)


def forgive(product: Product) -> None:
    """Forget the attempts to sign in with nonsense, which would keep others from signing in."""
    redis = product.redis()
    try:
        for pattern in ("*guesses:*", "*throttle_*"):
            for key in redis.scan_iter(pattern):
                redis.delete(key)
    finally:
        redis.close()
