"""Sign in, and list what there is: `python list_environments.py http://localhost:8000 demo PASSWORD`."""

import sys

from spoton_client import SpotOn


def main(spoton: SpotOn) -> None:
    print(f"Signed in as {spoton.auth_me()['username']}.")
    for environment in spoton.environments_list():
        cameras = list(spoton.environments_cameras(environment["environment_id"]))
        print(f"{environment['environment_id']}: {environment['name']}, {len(cameras)} cameras")
        for span in spoton.environments_date_ranges(environment["environment_id"])["common"]:
            print(f"  recorded by all of them from {span['start']} to {span['end']}")


if __name__ == "__main__":
    with SpotOn(*sys.argv[1:4]) as client:
        main(client)
        client.log_out()
