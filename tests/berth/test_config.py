"""This will check that the key is kept where only its owner reads it."""

import stat
from pathlib import Path

import pytest

from berth import config
from berth.problem import Refused


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), **more}


def test_without_a_file_there_is_a_default_and_no_key(tmp_path: Path) -> None:
    loaded = config.load(environment(tmp_path))
    assert loaded.url == config.URL_DEFAULT
    assert loaded.key == ""
    assert loaded.path == tmp_path / ".config/berth/config.toml"


def test_what_is_saved_is_loaded_again_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "config.toml"
    config.save(config.Config(path=path, url="https://a.example", key='brt_"\\x'))
    loaded = config.load(environment(tmp_path, BERTH_CONFIG=str(path)))
    assert (loaded.url, loaded.key) == ("https://a.example", 'brt_"\\x')
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["config.toml"]


def test_a_file_that_others_could_read_is_private_after_saving(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("", encoding="utf-8")
    path.chmod(0o644)
    assert config.readable_by_others(path)
    config.save(config.Config(path=path, key="k"))
    assert not config.readable_by_others(path)


def test_the_environment_wins(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    config.save(config.Config(path=path, url="https://a.example", key="saved"))
    loaded = config.load(
        environment(
            tmp_path, BERTH_CONFIG=str(path), BERTH_URL="https://b.example/", BERTH_API_KEY="now"
        )
    )
    assert (loaded.url, loaded.key) == ("https://b.example", "now")


def test_a_saved_key_never_goes_to_another_address(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    config.save(config.Config(path=path, url="https://a.example", key="saved"))
    other = environment(tmp_path, BERTH_CONFIG=str(path), BERTH_URL="https://evil.example")
    same = environment(tmp_path, BERTH_CONFIG=str(path), BERTH_URL="https://a.example/")
    assert config.load(other).key == ""
    assert config.load(same).key == "saved"


def test_the_xdg_folder_is_used(tmp_path: Path) -> None:
    given = environment(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "xdg"))
    assert config.config_path(given) == tmp_path / "xdg/berth/config.toml"


@pytest.mark.parametrize("content", ["url = ", "\x00", "url = 'ftp://x'", "url = ''"])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(Refused) as caught:
        config.load(environment(tmp_path, BERTH_CONFIG=str(path)))
    assert caught.value.code == "config_malformed"


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://localhost", False),
        ("https://a.example", False),
        ("http://a.example", True),
    ],
)
def test_only_a_network_without_encryption_is_warned_of(
    tmp_path: Path, url: str, clear: bool
) -> None:
    assert config.Config(path=tmp_path / "c", url=url).key_travels_in_clear is clear
