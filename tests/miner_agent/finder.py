"""Images as one machine's placements find them, on a real engine."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

from miner_agent.engine import Engine
from miner_agent.image_book import ImageBook
from miner_agent.images import Images
from protocol.agent import RegistryLogin
from tests.miner_agent import images
from tests.miner_agent.host import docker

MACHINE = "images-test"
#: a name server that takes the loopback for the wide world
WORLD = {"127.0.0.1": ["93.184.215.14"]}


class Finder:
    """One machine's images; each ``find`` is another placement's."""

    def __init__(self, path: Path) -> None:
        self.book = ImageBook(path)
        self.placements: list[UUID] = []
        #: images that the test makes as the host
        self.hosts_own: list[str] = []

    def images(
        self,
        *allowed: str,
        free_bytes: int = 1 << 40,
        free_files: int = 1 << 40,
        bytes_most: int | None = None,
    ) -> Images:
        return Images(
            engine=Engine(),
            book=self.book,
            machine=MACHINE,
            allowed=allowed,
            bytes_most=bytes_most,
            resolve=lambda host: WORLD.get(host, ()),
            free_bytes=lambda folder: free_bytes,
            free_files=lambda folder: free_files,
        )

    def make(self, name: str, **files: str) -> str:
        """Make an image of the host's own and return its id."""
        self.hosts_own.append(name)
        return images.make(name, **files)

    def find(
        self,
        reference: str,
        *allowed: str,
        among: Images | None = None,
        placement_id: UUID | None = None,
        login: RegistryLogin | None = None,
        progress: Callable[[str], None] = lambda text: None,
    ) -> str:
        placement_id = placement_id or uuid4()
        self.placements.append(placement_id)
        here = among or self.images(*allowed)
        return here.image(
            reference, placement_id=placement_id, login=login, progress=progress
        ).image_id

    def end_all(self) -> None:
        for placement_id in self.placements:
            self.images().let_go(placement_id)

    def close(self) -> None:
        """Remove everything that was fetched or made."""
        self.end_all()
        self.images().remove_unused()
        for name in self.hosts_own:
            docker("rmi", "-f", name)
        self.book.close()
