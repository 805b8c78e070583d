"""How far a pull is."""

from miner_agent.domain.pull import Pull


def line(layer: str, status: str, current: int = 0, total: int = 0) -> dict[str, object]:
    detail = {"current": current, "total": total} if total else {}
    return {"id": layer, "status": status, "progressDetail": detail}


def test_a_pull_rises_through_fetching_and_unpacking() -> None:
    pull = Pull()
    pull.note({"status": "Pulling from library/debian", "id": "12"})
    assert pull.percent() is None
    told = []
    for one in (
        line("a", "Downloading", 50, 100),
        line("b", "Downloading", 0, 100),
        line("a", "Downloading", 100, 100),
        line("a", "Verifying Checksum"),
        line("a", "Download complete"),
        line("b", "Download complete"),
        line("a", "Extracting", 60, 100),
        line("a", "Pull complete"),
        line("b", "Pull complete"),
    ):
        pull.note(one)
        told.append(pull.percent())
    assert told == [25, 12, 25, 25, 25, 50, 65, 75, 100]


def test_a_layer_that_comes_a_second_time_does_not_fall_back() -> None:
    pull = Pull()
    pull.note(line("a", "Downloading", 90, 100))
    pull.note(line("a", "Downloading", 10, 100))
    assert pull.percent() == 45


def test_what_is_here_already_has_no_size() -> None:
    pull = Pull()
    pull.note(line("a", "Already exists"))
    pull.note(line("b", "Pull complete"))
    assert pull.percent() is None
