"""The simulated vendor's books: its accounts and their meetings, and every change that can be made to them."""

import base64
import random
from dataclasses import dataclass, field, replace

import msgspec

from syncer.simulator.conferencing.diary import Clock, Diary
from syncer.simulator.conferencing.faults import Faults
from syncer.simulator.conferencing.meetings import Access, Meeting, Wanted

# Numbers that no one can have: kept free for fiction by the North American numbering plan and by Ofcom.
DIAL_IN = ("+12025550143", "+442079460143")


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer that was given once and is given again for the same key; the fingerprint is that of the call."""

    fingerprint: bytes
    answer: bytes
    outcome: str
    meeting_id: str


@dataclass(slots=True)
class Account:
    """A customer's account at the vendor; meetings by id, remembered answers by idempotency key.

    changes_url: whom to tell what the account's own users change, if anybody. changes_tenant: as whom of theirs.
    """

    slug: str
    webhook_secret: str = field(repr=False)
    api_token: str = field(repr=False)
    meetings: dict[str, Meeting] = field(default_factory=dict)
    webhook_answers: dict[str, Remembered] = field(default_factory=dict)
    creations: dict[str, Remembered] = field(default_factory=dict)
    changes_url: str | None = None
    changes_tenant: str | None = None


class Vendor:
    """All accounts of one simulated conferencing system; every random choice comes from the seed."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._random = random.Random(seed)
        self._meeting_ids: set[str] = set()
        self.accounts: dict[str, Account] = {}
        self.account_by_token: dict[str, Account] = {}
        self.diary = Diary(clock)
        self.faults = Faults(random.Random(seed + 1))

    def open_account(self, slug: str) -> Account:
        """A new account under a slug that has none yet."""
        secret = "whsec_" + base64.b64encode(self._random.randbytes(32)).decode()
        account = Account(slug, secret, self._random.randbytes(20).hex())
        self.accounts[slug] = account
        self.account_by_token[account.api_token] = account
        return account

    def create(self, account: Account, wanted: Wanted, *, external_key: str | None) -> Meeting:
        """A new live meeting with its own id, join URL, passcode and dial-in."""
        meeting_id, now = self._new_meeting_id(), self._clock.now()
        meeting = Meeting(
            id=meeting_id,
            external_key=external_key,
            holds=wanted,
            join_url=self._new_join_url(account, meeting_id),
            passcode=f"{self._random.randrange(1_000_000):06d}",
            dial_in=DIAL_IN,
            revision=0,
            state="live",
            created_at=now,
            updated_at=now,
        )
        account.meetings[meeting_id] = meeting
        return meeting

    def change(self, account: Account, meeting: Meeting, wanted: Wanted, access: Access) -> Meeting:
        """The meeting after a change by the vendor's own user; its revision stays, for that counts only calls."""
        passcode = meeting.passcode if access.passcode is msgspec.UNSET else access.passcode
        join_url = self._new_join_url(account, meeting.id) if access.new_join_url else meeting.join_url
        return self._keep(account, replace(meeting, holds=wanted, passcode=passcode, join_url=join_url))

    def apply(self, account: Account, meeting: Meeting, wanted: Wanted, *, revision: int) -> Meeting:
        """The meeting after a call that says how it should be."""
        return self._keep(account, replace(meeting, holds=wanted, revision=revision))

    def note_revision(self, account: Account, meeting: Meeting, *, revision: int) -> Meeting:
        """The meeting after a call that asked for what it was already."""
        noted = replace(meeting, revision=revision)
        account.meetings[meeting.id] = noted
        return noted

    def delete(self, account: Account, meeting: Meeting, *, revision: int) -> Meeting:
        """The meeting after its deletion; its id is never given again."""
        return self._keep(account, replace(meeting, state="deleted", revision=revision))

    def _keep(self, account: Account, meeting: Meeting) -> Meeting:
        kept = replace(meeting, updated_at=self._clock.now())
        account.meetings[meeting.id] = kept
        return kept

    def _new_meeting_id(self) -> str:
        """10 or 11 digits, the first not 0."""
        while True:
            meeting_id = str(self._random.randrange(10**9, 10**11))
            if meeting_id not in self._meeting_ids:
                self._meeting_ids.add(meeting_id)
                return meeting_id

    def _new_join_url(self, account: Account, meeting_id: str) -> str:
        return f"https://{account.slug}.meeting.test/j/{meeting_id}?pwd={self._random.randbytes(9).hex()}"
