"""This will print a paper as a PDF, with the fonts that every reader of PDFs has.

They know the letters of western Europe. Others are written by their plain letter where there is
one, and as ``?`` where there is none; the paper then says where it stands in full.
"""

import unicodedata

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from marketplace.papers.shown import Shown

ENCODING = "latin-1"
#: letters that do not come apart into a plain one and its mark
PLAIN = str.maketrans(
    {
        "Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "ı": "i", "Œ": "OE", "œ": "oe", "ẞ": "SS",
        "€": "EUR", "–": "-",
        "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "…": "...",
    }
)  # fmt: skip
UNREADABLE = "A letter of this paper is shown as ?; its page at this site shows it in full."
#: millimetres
WIDTH, LINE, TEXT_WIDTH, QUANTITY_WIDTH = 190, 6, 104, 50


def pdf(paper: Shown) -> bytes:
    """Return the paper as a PDF; the same paper makes the same bytes but for its day."""
    page = _Page(format="A4")
    page.set_title(f"{paper.title} {paper.number}")
    page.add_page()
    page.heading(f"{paper.title} {paper.number}")
    page.text_line(f"{paper.about}. Issued on {paper.day} (UTC).")
    for name, lines in (("From", paper.seller), ("To", paper.buyer)):
        page.ln(4)
        page.text_line(name, bold=True)
        for text in lines:
            page.text_line(text)
    page.ln(4)
    for line in paper.lines:
        page.row(line.text, line.quantity, line.amount)
    page.row("Total, US dollars", "", paper.total, bold=True)
    if paper.vat:
        page.row("VAT in it", "", paper.vat)
    page.ln(4)
    for note in paper.notes:
        page.text_line(note)
    if page.lost_some:
        page.text_line(UNREADABLE)
    return bytes(page.output())


class _Page(FPDF):
    """Pages of text in one font."""

    lost_some = False

    def heading(self, text: str) -> None:
        """Write a title."""
        self.set_font("helvetica", "B", 18)
        self.cell(WIDTH, 10, self._written(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def text_line(self, text: str, *, bold: bool = False) -> None:
        """Write a sentence, over several lines where it is long."""
        self.set_font("helvetica", "B" if bold else "", 10)
        self.multi_cell(WIDTH, LINE, self._written(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def row(self, text: str, quantity: str, amount: str, *, bold: bool = False) -> None:
        """Write a line of the table; its text is cut to its column."""
        self.set_font("helvetica", "B" if bold else "", 9)
        written = self._written(text)
        while self.get_string_width(written) > TEXT_WIDTH - 2:
            written = written[:-1]
        self.cell(TEXT_WIDTH, LINE, written, border="B")
        self.cell(QUANTITY_WIDTH, LINE, self._written(quantity), border="B", align="R")
        rest = WIDTH - TEXT_WIDTH - QUANTITY_WIDTH
        self.cell(rest, LINE, amount, border="B", align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _written(self, text: str) -> str:
        """Return the text in letters that the font has."""
        letters = [_letter(one) for one in text.translate(PLAIN)]
        self.lost_some = self.lost_some or any(one is None for one in letters)
        return "".join("?" if one is None else one for one in letters)


def _letter(one: str) -> str | None:
    """Return a letter that the font has in place of this one; None: there is none."""
    for written in (one, unicodedata.normalize("NFKD", one)):
        kept = "".join(part for part in written if not unicodedata.combining(part))
        kept = one if written == one else kept
        if kept.encode(ENCODING, "ignore").decode(ENCODING) == kept:
            return kept
    return None
