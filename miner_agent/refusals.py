"""This will tell what cannot run here at all from what may run at the next try.

A word of Docker, of a disk or of a mount that means nothing definite is passed on as it is: the
step is tried again for a minute and a half (``retries.py``), for most of them are over at once.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from miner_agent.domain.engine_words import OTHERWISE, meaning
from miner_agent.engine import EngineRefused
from miner_agent.gpu_access import GpuUnavailable
from miner_agent.images import ImagePullFailed, ImageUnknown
from miner_agent.runtime import CannotRun
from miner_agent.volumes import VolumeInUse, VolumeUnknown

#: what Docker said is the host's business
NO_GPU = "This machine could not hand out its GPUs: rent another one; its host has to look."

logger = logging.getLogger(__name__)


@contextmanager
def refusals() -> Iterator[None]:
    """Translate what no other try would change into what the renter is told."""
    try:
        yield
    except ImageUnknown as error:
        raise CannotRun("image_unknown", str(error)) from error
    except ImagePullFailed as error:
        raise CannotRun("image_pull_failed", str(error)) from error
    except VolumeUnknown as error:
        raise CannotRun("volume_unknown", str(error)) from error
    except VolumeInUse as error:
        raise CannotRun("volume_in_use", str(error)) from error
    except GpuUnavailable as error:
        logger.warning("GPU not handed out", extra={"error": str(error)})
        raise CannotRun("gpu_unavailable", NO_GPU) from error
    except EngineRefused as error:
        meant = meaning(str(error))
        if meant == OTHERWISE:
            raise
        logger.warning("Docker refused", extra={"error": str(error)})
        raise CannotRun(*meant) from error
    except PermissionError as error:
        # Only root can give files to the user that Docker maps root inside to.
        logger.warning("The agent has to run as root here", extra={"error": str(error)})
        raise CannotRun(*OTHERWISE) from error
