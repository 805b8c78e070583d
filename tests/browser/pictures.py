"""What a journey shows, kept for the documents where somebody asks for it: ``make pictures``."""

import os
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

#: as wide as the documents show them
SIZE = {"width": 1200, "height": 750}


def keep(page: Page, name: str) -> None:
    """Write what the window shows as a picture, in the folder that PICTURES names."""
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    before = page.viewport_size
    page.set_viewport_size(SIZE)
    page.evaluate("scrollTo(0, 0)")
    shot = page.screenshot(animations="disabled")
    # A third of the bytes, and nobody sees which colours are missing.
    Image.open(BytesIO(shot)).quantize(128).save(Path(folder) / f"{name}.png", optimize=True)
    if before is not None:
        page.set_viewport_size(before)
