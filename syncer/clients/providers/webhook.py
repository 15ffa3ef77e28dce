"""The provider for everybody: a signed webhook that carries the whole wanted state and is answered with the meeting.

Source of the signature: Standard Webhooks 1.0. The answer is ours: `webhook.schema.json`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from yarl import URL

from syncer.clients.http import BAD_JSON, Answer, Limits, NeverSent
from syncer.clients.providers import webhook_json
from syncer.clients.providers.base import NotSigned, Setup, Unauthorized, Unfit
from syncer.clients.providers.signatures import Signatures
from syncer.clients.providers.webhook_json import WebhookAnswer
from syncer.clients.retry_after import retry_after_seconds
from syncer.model.conference import (
    Applied,
    Capabilities,
    Change,
    ChangeKind,
    Gone,
    Meeting,
    Outcome,
    Rejected,
    Replaced,
    Retry,
    Stale,
)
from syncer.model.errors import OperatorError, Refused, Unreachable, Unreadable

ANSWER_LIMIT_BYTES = 1024 * 1024
REASON_LIMIT = 200

_FIELDS = ("title", "description", "starts", "ends", "time_zone", "recurrence", "organizer", "attendee_count")
_LATER = frozenset({408, 409, 423, 425, 429})
# The account is wrong, not what is asked of it: once that is mended nothing may have been lost.
_SHUT = {
    401: "the endpoint does not accept our signature: the credential's secret and the vendor's must be the same",
    403: "the endpoint does not let us in",
    404: "there is no such endpoint",
    405: "there is no such endpoint",
    410: "the endpoint is switched off",
}
_PROBED_ID = "syncer-check"


class WebhookProvider:
    """One account behind a webhook. Settings: `url`. Credential: the signing secret, `whsec_…`, or several."""

    capabilities: Final = Capabilities(
        fields=tuple((name, "native") for name in _FIELDS),
        update_returns_meeting=True,
        has_idempotency=True,
        recurrence="rrule",
        join_url_is_stable=False,
    )

    def __init__(self, setup: Setup) -> None:
        self._url = _url(setup)
        self._signatures = Signatures.read(setup.reference, setup.secret)
        self._http = setup.http
        self._limits = Limits(deadline_seconds=setup.deadline_seconds, body_bytes=ANSWER_LIMIT_BYTES)

    async def apply(self, change: Change) -> Outcome:
        """Sends one change. Any trouble after it may have arrived leaves a doubt, unless it was only a reading."""
        may_be_done = change.kind is not ChangeKind.READ
        try:
            answer = await self._send(change)
        except NeverSent as error:
            return Retry(reason=str(error), kind=str(error))
        except Refused as error:
            return Retry(reason=_cut(str(error)), kind=_cut(str(error)))
        except (Unreachable, Unreadable) as error:
            return Retry(reason=str(error), is_in_doubt=may_be_done, kind=str(error))
        if answer.status != 200:
            return _refusal(answer, may_be_done=may_be_done)
        return _outcome(change, answer.body)

    async def probe(self) -> str:
        """Reads a meeting that cannot exist: the endpoint must know our signature to say so."""
        change = Change(ChangeKind.READ, "syncer", _PROBED_ID, 0, f"probe-{datetime.now(UTC).timestamp():.0f}")
        outcome = await self.apply(change)
        if isinstance(outcome, Rejected | Retry):
            host = URL(self._url).host or "no host"
            where = "" if host in outcome.reason else f" at {host}"
            raise OperatorError(f"the webhook{where} does not work: {outcome.reason}")
        return f"the webhook at {URL(self._url).host} answers signed calls"

    def heard(self, headers: Mapping[str, str], body: bytes) -> tuple[str, ...]:
        """The ids of meetings of which the vendor says that they changed there. Raises NotSigned, Unfit."""
        if not self._signatures.fits(headers, body):
            raise NotSigned("a call about changes is not signed with the account's secret")
        try:
            return webhook_json.changed_ids(body)
        except BAD_JSON as error:
            wrong = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
            raise Unfit(_cut(f"The body is not a conference.changed call: {wrong}.")) from None

    async def _send(self, change: Change) -> Answer:
        # Real time: the receiver refuses a timestamp that is five minutes off its own clock.
        sent_at = datetime.now(UTC)
        body = webhook_json.request(change, sent_at=sent_at)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": change.key,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": self._signatures.sign(change.key, sent_at, body),
        }
        return await self._http.send_to_tenant("POST", self._url, headers=headers, body=body, limits=self._limits)


def _url(setup: Setup) -> str:
    unknown = sorted(setup.settings.keys() - {"url"})
    if unknown:
        raise OperatorError(f"provider webhook has no setting {unknown[0]}: its only setting is url")
    url = setup.settings.get("url", "")
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in ("https", "http") or not parsed.host or parsed.user is not None or parsed.fragment:
        raise OperatorError("provider webhook needs a setting url with a whole https URL, without a user name in it")
    return url


def _refusal(answer: Answer, *, may_be_done: bool) -> Outcome:
    """What a status other than 200 means. Any 5xx may come from a proxy whose back end did the work."""
    status = answer.status
    wait = retry_after_seconds(answer.headers.get("retry-after"), now=datetime.now(UTC))
    said = f"the endpoint answered {status}"
    if status >= 500:
        return Retry(said, wait, is_in_doubt=may_be_done, kind=said)
    if status in _LATER:
        return Retry(said, wait, kind=said)
    if status < 300:
        return Retry(f"{said} where 200 is agreed", wait, is_in_doubt=may_be_done, kind=said)
    if status in _SHUT:
        shut = Unauthorized if status == 401 else Retry
        return shut(_SHUT[status], wait, kind=f"{said}: {_SHUT[status]}")
    words, code = webhook_json.problem(answer.body)
    return Rejected(_cut(words or said), said, code)


def _outcome(change: Change, body: bytes) -> Outcome:
    """What a 200 means: closed, and believed only about the conference that was asked for."""
    is_doubtful = change.kind is not ChangeKind.READ
    try:
        answer = webhook_json.answer(body)
        meeting = None if answer.conference is None else webhook_json.meeting(answer.conference)
    except (*BAD_JSON, ValueError) as error:
        # msgspec names the place and what it wanted there; of what it found, at most an unknown status.
        wanted = str(error) if isinstance(error, msgspec.ValidationError) else "no JSON, or a time that is none"
        kind = "the endpoint's answer cannot be read"
        return Retry(_cut(f"{kind}: {wanted}"), is_in_doubt=is_doubtful, kind=kind)
    if answer.status == "not_found":
        return Gone()
    if answer.status != "replaced" and meeting is not None and meeting.meeting_id != change.meeting_id:
        kind = "the endpoint answered about another conference"
        return Retry(kind, is_in_doubt=is_doubtful, kind=kind)
    return _done(change, answer, meeting)


def _done(change: Change, answer: WebhookAnswer, meeting: Meeting | None) -> Outcome:
    is_doubtful = change.kind is not ChangeKind.READ
    match (change.kind, answer.status):
        case (ChangeKind.UPDATE | ChangeKind.DELETE, "stale"):
            if meeting is not None and meeting.revision is not None:
                return Stale(meeting.revision)
        case (ChangeKind.DELETE, "applied" | "unchanged"):
            return Gone()
        case (ChangeKind.UPDATE | ChangeKind.READ, "replaced"):
            if meeting is not None and meeting.meeting_id != change.meeting_id:
                return Replaced(meeting)
        case (ChangeKind.UPDATE, "applied" | "unchanged") | (ChangeKind.READ, _):
            if meeting is not None:
                return Applied(meeting)
    kind = f"the endpoint answered {answer.status} without what belongs to it"
    return Retry(kind, is_in_doubt=is_doubtful, kind=kind)


def _cut(words: str) -> str:
    """At most 200 characters, in one line, with nothing that a terminal would obey."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", words)[:REASON_LIMIT]
