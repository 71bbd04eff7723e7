"""The rows of one session's list, and how much of them is held at once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jomed_app.export.table import Row as Cells
from jomed_app.ui.overwriting import whole_arrays

if TYPE_CHECKING:
    from jomed_app.ui.session import Case

MOST_IMAGES = 50  # ours: held at once, of one session
MOST_BYTES = 128 * 2**20  # ours: of these, about eighty ultrasound images of 800 x 600 px
MOST_ROWS = 500  # ours; a row without its image takes a few hundred bytes

LEFT_UNREAD = "It left to make room before it was read; open it again."

Mark = Literal["", "done", "again"]
State = Literal["waiting", "reading", "read", "refused", "stopped", "left"]


@dataclass(slots=True)
class ListRow:
    """One image of the list.

    Attributes:
        number: from 1, in the order in which files were chosen.
        case: what is held of it; None once it left, or where it could not be opened.
        said: why it was not read, a sentence; empty where nothing went wrong.
        mark: what the visitor noted beside it.
        cells: its row of the table, once it was read; stays when the image leaves.
    """

    number: int
    case: Case | None = None
    said: str = ""
    mark: Mark = ""
    cells: Cells | None = None

    @property
    def state(self) -> State:
        """How far it is."""
        if self.case is None:
            return "refused" if self.cells is None else "left"
        if self.case.result is not None:
            return "read"
        if self.case.is_being_read:
            return "reading"
        return "stopped" if self.said else "waiting"


@dataclass(slots=True)
class Worklist:
    """Rows of one session, least recently shown first; the lock of its `CaseStore` guards it.

    Attributes:
        key: unguessable; the page sends it with a request for the table.
        touched: when the session last did anything with it, seconds of the store's clock.
        rows: by number.
    """

    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    touched: float = 0.0
    rows: dict[int, ListRow] = field(default_factory=dict)

    def holds(self, case: Case | None) -> bool:
        """Whether a case is the one of its row."""
        row = None if case is None or case.row is None else self.rows.get(case.row)
        return row is not None and row.case is case

    def put(self, case: Case) -> None:
        """Make a case that of its row; what the row held before is forgotten."""
        assert case.row is not None
        row = self.rows.setdefault(case.row, ListRow(case.row))
        self.rows[case.row] = self.rows.pop(case.row)
        if row.case is not None and row.case is not case:
            row.case.forget(case)
        row.case, row.said = case, ""

    def refuse(self, number: int, sentence: str) -> None:
        """Note why an image was not read; a case that its row held is forgotten."""
        row = self.rows.setdefault(number, ListRow(number))
        if row.case is not None:
            row.case.forget()
        row.case, row.said, row.cells = None, sentence, None

    def note(self, case: Case, cells: Cells) -> None:
        """Keep the row of the table of a case that was read."""
        if self.holds(case) and case.row is not None:
            self.rows[case.row].cells = cells

    def touch(self, number: int) -> None:
        """Make a row the most recently shown one."""
        self.rows[number] = self.rows.pop(number)

    def let_go(
        self, shown: Case | None, *, images: int = MOST_IMAGES, size: int = MOST_BYTES
    ) -> None:
        """Forget images until the rest is within bounds, the least recently shown ones first.

        Args:
            shown: the open case; stays.
            images: at most.
            size: at most, bytes.
        """
        held = [each for each in self.rows.values() if each.case is not None]
        sizes = {each.number: held_bytes(each.case) for each in held}
        count, total = len(held), sum(sizes.values())
        for row in held:
            if count <= images and total <= size:
                return
            if row.case is None or row.case is shown or row.case.is_being_read:
                continue
            if row.case.is_hiding:  # what the visitor has not read must not be told by the table
                row.cells = None
            if row.cells is None:
                row.said = row.said or LEFT_UNREAD
            row.case.forget()
            row.case = None
            count, total = count - 1, total - sizes[row.number]

    @property
    def num_bytes(self) -> int:
        """Memory that its images take, bytes."""
        return sum(held_bytes(each.case) for each in self.rows.values())

    def forget(self) -> int:
        """Forget all of it; say how many images were held."""
        held = [each.case for each in self.rows.values() if each.case is not None]
        for case in held:
            case.forget()
        self.rows.clear()
        return len(held)

    def __iter__(self) -> Iterator[ListRow]:
        """Yield the rows by number."""
        return iter(sorted(self.rows.values(), key=lambda row: row.number))


def held_bytes(case: Case | None) -> int:
    """Return about how much memory a case takes: its pixels, each once, and its file if kept."""
    if case is None:
        return 0
    sizes: dict[int, int] = {id(each): each.nbytes for each in whole_arrays(case.image)}
    return sum(sizes.values()) + len(case.file_bytes or b"")
