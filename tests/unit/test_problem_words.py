"""What is wrong with a request is said in sentences that name the place."""

from api.problems import from_validation


def test_faults_are_named_in_one_sentence_and_entries_of_lists_by_their_list() -> None:
    error = from_validation(
        [
            {"type": "missing", "loc": ("body", "name"), "msg": "Field required"},
            {"type": "enum", "loc": ("body", "events", 0), "msg": "Input should be 'a' or 'b'"},
        ]
    )
    assert str(error) == (
        "/body/name: name is required; send it; "
        "/body/events/0: Input should be 'a' or 'b'; correct entry 0 of events."
    )
