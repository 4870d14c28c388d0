from scoring.skeleton import Skeleton, place


def test_places_are_filled_wherever_they_stand() -> None:
    skeleton = Skeleton(f"{place('name')}，您好 <a href='/s/{place('token')}'>{place('name')}</a>")
    assert skeleton.fill({"name": "李", "token": "abc"}).decode() == "李，您好 <a href='/s/abc'>李</a>"


def test_a_place_without_a_value_stays_empty() -> None:
    assert Skeleton(f"<input{place('is-5')}>").fill({}) == b"<input>"
    assert Skeleton(f"<input{place('is-5')}>").fill({"is-5": " checked", "is-4": "?"}) == b"<input checked>"


def test_a_value_is_not_read_for_places() -> None:
    assert Skeleton(place("a")).fill({"a": place("b"), "b": "!"}).decode() == place("b")
