"""Who looks like somebody; say that two are one, and take it back: `... http://localhost:8000 demo PASSWORD PERSON`."""

import sys

from spoton_client import ApiError, SpotOn


def main(spoton: SpotOn, person_id: str) -> None:
    found = spoton.persons_search(person_id=person_id)
    for alike in found["persons"]:
        other = alike["global_person_id"]
        print(f"{alike['similarity']:.2f} {other}")
        try:
            # `with` is a word of Python: the client takes the underscore off
            change = spoton.persons_merge(person_id, with_=other, reason="an example")
        except ApiError as refused:
            print(f"  not merged: {refused.message}")
            continue
        print(f"  merged into {change['person_id']}")
        spoton.person_changes_undo(change["change_id"])
        print("  and taken back")
    for change in spoton.persons_history(person_id):
        print(f"{change['created_at']} {change['kind']} by {change['created_by']}")


if __name__ == "__main__":
    with SpotOn(*sys.argv[1:4]) as client:
        main(client, sys.argv[4])
