"""The calendars of one project while they are served, in columns: an idle one costs a few hundred bytes, no object.

A calendar that is well, and was read to the end, is *steady*: its columns say all of it. Any other stands here whole.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from urllib.parse import unquote

from syncer.clients.google.batch import Whose
from syncer.clients.google.calendar import Look, place_of
from syncer.model.calendar import Calendar, CalendarKey, Cursor
from syncer.store.roster import Moved

_PIN_BYTES = 12
# Bytes take less than text, and this part of a place is the same for all.
_BETWEEN = "/events?quotaUser="
_NO_TIME = float("-inf")


class Roster:
    """Calendars by key and by slot. A slot is a number from 0 on, and stays the calendar's as long as it is known.

    tenant_ids: whose calendar each slot is; 0 when it is served no longer.
    """

    def __init__(self) -> None:
        self._ids = array("q")
        self.tenant_ids = array("q")
        self._places: list[bytes] = []
        self._whose: list[Whose] = []
        self._tokens: list[bytes | None] = []
        self._generations = array("q")
        self._read_from = array("d")
        self._pins = bytearray()
        self._versions = array("I")
        self._is_unsaved = bytearray()
        self._runs: dict[int, list[int]] = {}
        self._late: dict[int, dict[int, int]] = {}
        self._whole: dict[int, Calendar] = {}
        self._addresses: dict[int, frozenset[str]] = {}
        self._count = 0
        self._saved_to = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: CalendarKey) -> bool:
        return self.slot(key) is not None

    def __iter__(self) -> Iterator[CalendarKey]:
        return (self.key(slot) for slot in self.slots())

    def slots(self) -> Iterator[int]:
        """The slots of all calendars."""
        return (slot for slot in range(len(self._ids)) if self.tenant_ids[slot])

    def slot(self, key: CalendarKey) -> int | None:
        """The slot of a calendar that is served."""
        slot = self._known(key)
        return slot if slot is not None and self.tenant_ids[slot] else None

    def key(self, slot: int) -> CalendarKey:
        """The calendar of a slot."""
        return CalendarKey(self.tenant_ids[slot], self._ids[slot])

    def slots_of(self, tenant_id: int) -> Iterator[int]:
        """The slots of one tenant's calendars."""
        slots = chain(range(*self._runs.get(tenant_id, (0, 0))), self._late.get(tenant_id, {}).values())
        return (slot for slot in slots if self.tenant_ids[slot])

    def get(self, key: CalendarKey) -> Calendar | None:
        """A calendar as it stands; a new value each time."""
        slot = self.slot(key)
        return None if slot is None else self.at(slot)

    def __getitem__(self, key: CalendarKey) -> Calendar:
        calendar = self.get(key)
        if calendar is None:
            raise KeyError(key)
        return calendar

    def at(self, slot: int) -> Calendar:
        """The calendar of a slot as it stands."""
        whole = self._whole.get(slot)
        if whole is not None:
            return whole
        google_id = _google_id(self._places[slot])
        credential, subject = self._whose[slot]
        return Calendar(
            key=self.key(slot),
            google_id=google_id,
            subject=subject,
            credential=credential,
            addresses=self._addresses.get(slot) or frozenset((google_id.lower(),)),
            cursor=Cursor(
                sync_token=_text(self._tokens[slot]),
                generation=self._generations[slot],
                is_full_read=False,
                read_from=_instant(self._read_from[slot]),
                pin=self._pin(slot).hex(),
            ),
        )

    def version(self, slot: int) -> int:
        """Moves whenever what is known of the calendar is replaced; not with a token that moves."""
        return self._versions[slot]

    def version_of(self, key: CalendarKey) -> int | None:
        """As `version`; None for a calendar that is not served."""
        slot = self.slot(key)
        return None if slot is None else self._versions[slot]

    def look(self, slot: int) -> Look | None:
        """The look at a steady calendar; None when it is not steady."""
        if slot in self._whole:
            return None
        place = self._places[slot].decode().replace("?", _BETWEEN, 1)
        token = _text(self._tokens[slot])
        return Look(place, self._whose[slot], token, None, None, False, self.tenant_ids[slot])

    def put(self, calendar: Calendar, *, is_whole: bool = False) -> int:
        """Take over a calendar as it stands; gives its slot. is_whole: not steady, whatever its cursor says."""
        slot = self._place(calendar.key)
        self._places[slot] = place_of(calendar.google_id).replace(_BETWEEN, "?").encode()
        whose = (calendar.credential, calendar.subject)
        # Neighbours are of one tenant: where it has one subject, they share it in memory.
        before = self._whose[slot - 1]
        self._whose[slot] = before if before == whose else whose
        if calendar.addresses == {calendar.google_id.lower()}:
            self._addresses.pop(slot, None)
        else:
            self._addresses[slot] = calendar.addresses
        self._keep(slot, calendar, is_whole=is_whole)
        return slot

    def move_token(self, slot: int, sync_token: str) -> None:
        """Nothing had changed at a steady calendar, and this is its newest token."""
        token = sync_token.encode()
        if self._tokens[slot] != token:
            self._tokens[slot] = token
            self._is_unsaved[slot] = 1

    def advance(self, slot: int, cursor: Cursor) -> bool:
        """Keeps the cursor of a steady calendar that was read to the end under the same pin; says whether it did."""
        if slot in self._whole or not _is_read(cursor) or _packed(cursor.pin) != self._pin(slot):
            return False
        self._keep_cursor(slot, cursor)
        return True

    def unsaved(self, share: float) -> list[Moved]:
        """The tokens that moved, in this share of all slots; the next call goes on from there. share: 0.0-1.0."""
        slots = len(self._ids)
        count = min(slots, int(slots * share) + 1)
        taken = [(self._saved_to + number) % slots for number in range(count)] if slots else []
        self._saved_to = (self._saved_to + count) % slots if slots else 0
        found = [slot for slot in taken if self._is_unsaved[slot] and self.tenant_ids[slot] and slot not in self._whole]
        for slot in found:
            self._is_unsaved[slot] = 0
        return [
            Moved(self.key(slot), self._generations[slot], token)
            for slot in found
            if (token := _text(self._tokens[slot])) is not None
        ]

    def drop(self, slot: int) -> None:
        """Forget a calendar."""
        if self.tenant_ids[slot]:
            self.tenant_ids[slot] = 0
            self._versions[slot] += 1
            self._whole.pop(slot, None)
            self._addresses.pop(slot, None)
            self._tokens[slot] = None
            self._count -= 1

    def _keep(self, slot: int, calendar: Calendar, *, is_whole: bool) -> None:
        if is_whole or not _is_steady(calendar):
            self._whole[slot] = calendar
            self._is_unsaved[slot] = 0
            self._versions[slot] += 1
        else:
            self._whole.pop(slot, None)
            self._pins[slot * _PIN_BYTES : (slot + 1) * _PIN_BYTES] = _packed(calendar.cursor.pin) or b""
            self._keep_cursor(slot, calendar.cursor)

    def _keep_cursor(self, slot: int, cursor: Cursor) -> None:
        self._tokens[slot] = cursor.sync_token.encode() if cursor.sync_token is not None else None
        self._generations[slot] = cursor.generation
        self._read_from[slot] = cursor.read_from.timestamp() if cursor.read_from else _NO_TIME
        self._is_unsaved[slot] = 0
        self._versions[slot] += 1

    def _pin(self, slot: int) -> bytes:
        return bytes(self._pins[slot * _PIN_BYTES : (slot + 1) * _PIN_BYTES])

    def _place(self, key: CalendarKey) -> int:
        """The slot of a calendar, a new one if need be."""
        slot = self._known(key)
        if slot is None:
            slot = self._grow(key)
        if not self.tenant_ids[slot]:
            self.tenant_ids[slot] = key.tenant_id
            self._count += 1
        return slot

    def _grow(self, key: CalendarKey) -> int:
        slot = len(self._ids)
        run = self._runs.setdefault(key.tenant_id, [slot, slot])
        # A tenant's calendars come one after another and ascending but for a few; only those few need an index.
        if run[1] == slot and (run[0] == slot or key.calendar_id > self._ids[-1]):
            run[1] += 1
        else:
            self._late.setdefault(key.tenant_id, {})[key.calendar_id] = slot
        self._ids.append(key.calendar_id)
        self.tenant_ids.append(0)
        self._places.append(b"")
        self._whose.append(("", None))
        self._tokens.append(None)
        self._generations.append(0)
        self._read_from.append(_NO_TIME)
        self._pins.extend(bytes(_PIN_BYTES))
        self._versions.append(0)
        self._is_unsaved.append(0)
        return slot

    def _known(self, key: CalendarKey) -> int | None:
        start, stop = self._runs.get(key.tenant_id, (0, 0))
        slot = bisect_left(self._ids, key.calendar_id, start, stop)
        if slot < stop and self._ids[slot] == key.calendar_id:
            return slot
        return self._late.get(key.tenant_id, {}).get(key.calendar_id)


def _text(token: bytes | None) -> str | None:
    return None if token is None else token.decode()


def _google_id(place: bytes) -> str:
    name = place.decode().partition("?")[0].replace("%40", "@")
    return unquote(name) if "%" in name else name  # most have no other: their own addresses


def _is_steady(calendar: Calendar) -> bool:
    is_well = not calendar.failures and calendar.next_look_at is None
    return is_well and _is_read(calendar.cursor) and _packed(calendar.cursor.pin) is not None


def _is_read(cursor: Cursor) -> bool:
    return cursor.sync_token is not None and cursor.page_token is None and not cursor.is_full_read


def _packed(pin: str) -> bytes | None:
    """A pin as bytes, None when it is not the fingerprint of a finished read."""
    try:
        packed = bytes.fromhex(pin)
    except ValueError:
        return None
    return packed if len(packed) == _PIN_BYTES and packed.hex() == pin else None


def _instant(seconds: float) -> datetime | None:
    return None if seconds == _NO_TIME else datetime.fromtimestamp(seconds, UTC)
