"""How the tests under load count several records of one refresh: by the token's generation and edition, in the stream's order.

The same cases as those of the drill, in Tests/RecoveryTests/ExchangeRecordTests.swift.
"""

from acknowledged import Exchange, exchange, times_acted_on


def exchanged(position, session="s", generation=5, edition=0):
    return Exchange("exchanged", session, generation, edition, position)


def regained(position, edition):
    return Exchange("regained", "s", 5, edition, position)


def undone(position, session="s", generation=5):
    return Exchange("undone", session, generation, None, position)


def count(*records):
    undoing = [record for record in records if record.kind == "undone"]
    return times_acted_on([record for record in records if record not in undoing], undoing)


def test_one_is_one_and_two_are_two():
    assert count() == 0
    assert count(exchanged(1)) == 1
    assert count(exchanged(1), exchanged(2)) == 2


def test_one_that_was_taken_back_is_one_done_again_or_not():
    assert count(exchanged(1), undone(2), exchanged(3)) == 1
    assert count(exchanged(1), undone(2), exchanged(3), undone(4), exchanged(5)) == 1
    assert count(exchanged(1), undone(2)) == 1


def test_what_is_taken_back_accounts_for_no_record_that_was_there_before_it():
    # Each of these passed for one while it was only counted how often something was undone.
    assert count(exchanged(1), exchanged(2), undone(3)) == 2
    assert count(exchanged(1), exchanged(2), undone(3), exchanged(4)) == 2
    assert count(undone(1), exchanged(2), exchanged(3)) == 2
    assert count(exchanged(1), undone(2), undone(3), exchanged(4), exchanged(5)) == 2


def test_what_is_taken_back_of_another_token_or_session_accounts_for_nothing():
    assert count(exchanged(1), undone(2, generation=6), exchanged(3)) == 2
    assert count(exchanged(1), undone(2, session="t"), exchanged(3)) == 2
    assert count(exchanged(1), exchanged(2, session="t")) == 2
    assert count(exchanged(1), undone(2), exchanged(3, generation=6)) == 2


def test_one_in_the_place_of_another_is_one_once_for_each_edition():
    assert count(exchanged(1), regained(2, edition=1)) == 1
    assert count(exchanged(1), regained(2, edition=1), regained(3, edition=3)) == 1
    assert count(exchanged(1), regained(2, edition=1), regained(3, edition=1)) == 2
    assert count(exchanged(1), exchanged(2), regained(3, edition=1)) == 2
    assert count(regained(1, edition=1)) == 1


def test_where_records_say_less_they_are_matched_by_session_and_order():
    assert count(exchanged(1, generation=None), undone(2), exchanged(3, generation=None)) == 1
    assert count(exchanged(1), undone(2, generation=None), exchanged(3)) == 1
    assert count(exchanged(1, edition=None), regained(2, edition=1)) == 1
    assert count(exchanged(1, generation=None), exchanged(2, generation=None), undone(3)) == 2


def test_records_come_in_the_stream_s_order_however_they_are_read():
    assert count(exchanged(3), undone(2), exchanged(1)) == 1
    assert count(exchanged(2), undone(3), exchanged(1)) == 2


def test_a_record_says_of_which_token_it_is():
    assert exchange("s", None, 7, "5", "0") == Exchange("exchanged", "s", 5, 0, 7)
    assert exchange("s", "given_back_by_fallback", 7, "5", "1") == Exchange("regained", "s", 5, 1, 7)
    # What is undone names the generation that is in force again, the one before that which was given.
    assert exchange("s", None, 8, "4", "0", is_undone=True) == Exchange("undone", "s", 5, 0, 8)
    assert exchange("s", None, 8, None, None).generation is None
