"""Calls with their tokens: each goes out under the one of its own subject, and once more where that was refused."""

import asyncio
from collections.abc import Iterable, Sequence

from syncer.clients.google.auth import Credentials
from syncer.clients.google.batch import Batches, Call, Outcome, Whose
from syncer.clients.google.metering import Meter
from syncer.clients.http import Answer
from syncer.clients.secret import Secret
from syncer.model.errors import SyncerError

_UNAUTHORIZED = 401


class Authorized:
    """Sends calls of one project in batches."""

    def __init__(self, batches: Batches, credentials: Credentials) -> None:
        self._batches = batches
        self._credentials = credentials

    async def send(self, calls: Sequence[Call], meter: Meter) -> list[Outcome | SyncerError]:
        """What came of each call, in the order given; an error where no token was to be had."""
        await self._credentials.keep_up()
        outcomes = await self._send(calls, meter)
        refused = [place for place, outcome in enumerate(outcomes) if _is_unauthorized(outcome)]
        if refused:
            again = await self._send([calls[place] for place in refused], meter)
            for place, outcome in zip(refused, again, strict=True):
                outcomes[place] = outcome
        return outcomes

    async def _send(self, calls: Sequence[Call], meter: Meter) -> list[Outcome | SyncerError]:
        tokens = await self._tokens(calls)
        ready = [(call, token) for call in calls if isinstance(token := tokens[call.whose], Secret)]
        sent: list[Outcome | SyncerError] = [*(await self._batches.send(ready, meter) if ready else [])]
        for (call, token), outcome in zip(ready, sent, strict=True):
            if _is_unauthorized(outcome):
                self._credentials.forget(*call.whose, token)
        if len(ready) == len(calls):
            return sent
        answered = iter(sent)
        found = (tokens[call.whose] for call in calls)
        return [next(answered) if isinstance(token, Secret) else token for token in found]

    async def _tokens(self, calls: Iterable[Call]) -> dict[Whose, Secret | SyncerError]:
        known: dict[Whose, Secret | SyncerError | None] = {}
        for call in calls:
            if call.whose not in known:
                known[call.whose] = self._credentials.held(*call.whose)
        missing = [whose for whose, token in known.items() if token is None]
        if missing:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._token(whose)) for whose in missing]
            known.update({whose: task.result() for whose, task in zip(missing, tasks, strict=True)})
        return {whose: token for whose, token in known.items() if token is not None}

    async def _token(self, whose: Whose) -> Secret | SyncerError:
        try:
            return await self._credentials.access_token(*whose)
        except SyncerError as error:
            return error


def _is_unauthorized(outcome: Outcome | SyncerError) -> bool:
    return isinstance(outcome, Answer) and outcome.status == _UNAUTHORIZED
