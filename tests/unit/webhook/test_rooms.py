"""Memory for bodies is bounded, given back once, and no address takes all of it with bodies that do not come."""

import pytest

from connectors.webhook.rooms import NoRoomError, Room


def test_what_does_not_fit_is_refused_until_there_is_room_again() -> None:
    room = Room(100, 100)
    first, _ = room.take(60), room.take(40)
    with pytest.raises(NoRoomError, match=r"bridge\.memory"):
        room.take(1)
    first.give_back()
    first.give_back()
    assert room.taken_bytes == 40
    room.take(60)


def test_a_body_in_parts_takes_as_much_as_has_come() -> None:
    room = Room(100, 100)
    arriving = room.begin("a")
    arriving.take(30)
    arriving.take(20)
    lease = arriving.whole()
    arriving.give_up()
    assert room.taken_bytes == 50
    lease.give_back()
    assert room.taken_bytes == 0


def test_a_body_that_is_given_up_leaves_nothing() -> None:
    room = Room(100, 100)
    arriving = room.begin("a")
    arriving.take(30)
    arriving.give_up()
    arriving.give_up()
    assert room.taken_bytes == 0
    room.begin("a").take(100)


def test_unfinished_bodies_of_one_address_leave_room_for_others() -> None:
    room = Room(100, 40)
    first, second = room.begin("a"), room.begin("a")
    first.take(30)
    with pytest.raises(NoRoomError, match="not whole"):
        second.take(20)
    room.begin("b").take(40)
    lease = first.whole()
    second.take(20)
    lease.give_back()
    assert room.taken_bytes == 60
