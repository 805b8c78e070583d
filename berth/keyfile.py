"""This will find the public half of an SSH key on disk, and never read a private one out."""

from dataclasses import dataclass
from pathlib import Path

from berth.problem import Refused

KEY_BYTES_MAX = 16_384


@dataclass(frozen=True, slots=True)
class KeyFile:
    public_key: str
    #: the private half beside it; None: not on this machine (an agent or a token has it)
    identity: Path | None

    @property
    def body(self) -> str:
        """Return kind and key without the comment, to compare with other lines."""
        return " ".join(self.public_key.split()[:2])


def read_key(path: Path) -> KeyFile:
    """Return the key of ``id_x`` or ``id_x.pub``, whichever of the two was named.

    :raises Refused: ``ssh_key_missing`` when there is no such file; ``ssh_key_malformed`` when
        it holds no public key in one line.
    """
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    private = public.with_suffix("")
    source = public if public.exists() else path
    try:
        with source.open("rb") as file:
            text = file.read(KEY_BYTES_MAX).decode(errors="replace").strip()
    except OSError as error:
        sentence = f"Cannot read {source}: {error.strerror}. Make a key with: ssh-keygen -t ed25519"
        raise Refused("ssh_key_missing", sentence) from error
    if "PRIVATE KEY" in text:
        sentence = f"{source} is a private key and there is no {public.name} beside it."
        raise Refused("ssh_key_malformed", sentence)
    if "\n" in text or len(text.split()) < 2:
        raise Refused("ssh_key_malformed", f"{source} holds no public SSH key in one line.")
    identity = private.absolute() if private != source and private.exists() else None
    return KeyFile(public_key=text, identity=identity)
