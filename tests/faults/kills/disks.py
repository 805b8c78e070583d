"""The disk tools of a machine, to an agent: a mount is a folder that a link stands for."""

import shutil
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

#: what a tenant keeps on the disk
KEEPSAKE = "keepsake"


class Refused(Exception):
    """Docker's answer is an error of this HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Disks:
    """Files that are mounted, and what a tenant keeps on them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        #: mount point -> the file that is mounted there
        self.mounts: dict[str, str] = {}
        self.mountinfo = root / "mountinfo"
        #: every promise that was broken, as a sentence
        self.broken: list[str] = []
        self.on_loss: Callable[[UUID, list[str]], None] = lambda placement_id, kept: None
        #: the same of a volume
        self.on_volume_loss: Callable[[UUID], None] = lambda volume_id: None
        for folder in ("overlay2", "under"):
            (root / folder).mkdir()
        self.tell_mounts()

    def run(self, command: list[str]) -> str:
        """Return what a disk tool prints; a mount is a folder that a link stands for."""
        with self.lock:
            try:
                return self._run(command)
            except OSError as error:
                raise Refused(500, f"{command[0]}: {error}") from error

    def _run(self, command: list[str]) -> str:
        match command:
            case ["fallocate", "-l", _, file]:
                Path(file).touch()
            case ["mkfs.ext4", *_, file]:
                shutil.rmtree(_content(file), ignore_errors=True)
                _content(file).mkdir(parents=True)
            case ["mount", "-o", options, file, point]:
                # What is read through no link stays a folder.
                bound = options.startswith("bind,")
                self._mount(file, point, None if bound else _content(file))
            case ["env", "-C", folder, "mount", "-t", "overlay", _, "-o", options, point]:
                layers = options.partition("lowerdir=")[2].split(":")
                self._mount("overlay", point, Path(folder) / layers[0])
            case ["umount", point]:
                self._unmount(point)
            case ["cp", "-a", source, target]:
                shutil.copytree(source, target, dirs_exist_ok=True)
            case ["losetup", "-j", file]:
                return "".join(f"{self._device(one)}: x\n" for one in self._mounted(file))
            case ["losetup", "-d", _]:
                pass
            case _:
                raise Refused(501, f"the stand-in does not know {command}")
        return ""

    def find_losses(self) -> None:
        """Note the disks whose files are gone, and with them what was on them."""
        with self.lock:
            for content in (self.root / "agent" / "contents").glob("*"):
                files = (self.root / "agent" / "disks").glob(f"{content.name}.*")
                if not any(file.suffix in (".img", ".part") for file in files):
                    self._lose(UUID(content.name.split(".")[0]), content / "diff" / KEEPSAKE)
                    shutil.rmtree(content)
            for content in (self.root / "agent" / "volume-contents").glob("*"):
                files = (self.root / "agent" / "volumes").glob(f"{content.name}.*")
                if not any(file.suffix in (".img", ".part") for file in files):
                    self.on_volume_loss(UUID(content.name))
                    shutil.rmtree(content)

    def _lose(self, placement_id: UUID, keepsake: Path) -> None:
        if keepsake.exists():
            self.on_loss(placement_id, keepsake.read_text().splitlines())

    def _mount(self, file: str, point: str, content: Path | None) -> None:
        if point in self.mounts:
            self.broken.append(f"{point} is mounted twice")
            return
        if content is not None:
            Path(point).rename(self._under(point))
            Path(point).symlink_to(content)
        self.mounts[point] = file
        self.tell_mounts()

    def _unmount(self, point: str) -> None:
        if self.mounts.pop(point, None) is None:
            raise Refused(500, f"umount: {point}: not mounted.")
        if Path(point).is_symlink():
            Path(point).unlink()
            self._under(point).rename(point)
        self.tell_mounts()

    def _mounted(self, file: str) -> list[str]:
        return [point for point, one in self.mounts.items() if one == file]

    def _device(self, point: str) -> str:
        return f"/dev/loop{zlib.crc32(point.encode())}"

    def _under(self, point: str) -> Path:
        """Return where the folder is over which something is mounted."""
        return self.root / "under" / f"{zlib.crc32(point.encode())}"

    def tell_mounts(self) -> None:
        """Let the agent see what is mounted now."""
        lines = "".join(
            f"1 1 7:0 / {point} rw - ext4 {self._device(point)} rw\n" for point in self.mounts
        )
        part = self.mountinfo.with_suffix(".part")
        part.write_text(lines)
        part.replace(self.mountinfo)


def _content(file: str) -> Path:
    # A file called .part becomes one called .img: what is in it must not move.
    path = Path(file)
    folder = "volume-contents" if path.parent.name == "volumes" else "contents"
    return path.parent.parent / folder / path.name.rsplit(".", 1)[0]
