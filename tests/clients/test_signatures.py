"""A secret is changed without a lost call, in each direction and at every stage."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from syncer.clients.providers.signatures import Signatures
from syncer.clients.secret import Secret
from syncer.model.errors import OperatorError

OLD = "whsec_" + base64.b64encode(b"old" * 10).decode()
NEW = "whsec_" + base64.b64encode(b"new" * 10).decode()
BODY = b'{"type":"conference.read"}'


def of(*secrets: str, between: str = "\n") -> Signatures:
    return Signatures.read("file:hook", Secret(between.join(secrets)))


def headers(signed: str) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(datetime.now(UTC).timestamp())),
        "webhook-signature": signed,
    }


def is_accepted(signatures: Signatures, by: str) -> bool:
    """A vendor that knows one secret, with the standard's own library."""
    try:
        Webhook(by).verify(BODY, headers(signatures.sign("msg_1", datetime.now(UTC), BODY)))
    except WebhookVerificationError:
        return False
    return True


def is_heard(signatures: Signatures, *signers: str) -> bool:
    """A vendor signs with these secrets."""
    now = datetime.now(UTC)
    signed = " ".join(Webhook(secret).sign("msg_1", now, BODY.decode()) for secret in signers)
    return signatures.fits(headers(signed), BODY)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ((OLD,), (OLD,)),  # before
        ((NEW, OLD), (OLD,)),  # syncer has both
        ((NEW, OLD), (NEW, OLD)),  # the vendor is changing, one machine after the other
        ((NEW, OLD), (NEW,)),  # the vendor has changed
        ((NEW,), (NEW,)),  # after
    ],
    ids=["before", "both here", "both there", "new there", "after"],
)
def test_no_stage_of_a_change_loses_a_call(ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    for secret in theirs:
        assert is_accepted(of(*ours), secret)
        assert is_heard(of(*ours), secret)
    assert is_heard(of(*ours), *theirs)


def test_a_retired_secret_counts_no_more() -> None:
    assert not is_accepted(of(NEW), OLD)
    assert not is_heard(of(NEW), OLD)


def test_the_newest_secret_signs_first() -> None:
    now = datetime.now(UTC)
    assert of(NEW, OLD).sign("msg_1", now, BODY).split(" ")[0] == of(NEW).sign("msg_1", now, BODY)


@pytest.mark.parametrize("between", ["\n", "\r\n", " ", "\n\n  "])
def test_secrets_are_parted_by_any_blank(between: str) -> None:
    assert is_heard(of(NEW, OLD, between=between), OLD)


@pytest.mark.parametrize(
    "secrets", [(), (NEW, "whsec_canary!"), (NEW, "whsec_c2hvcnQ="), (OLD,) * 6], ids=["none", "no", "short", "many"]
)
def test_what_is_no_list_of_secrets_is_told_without_them(secrets: tuple[str, ...]) -> None:
    with pytest.raises(OperatorError, match="credential file:hook is not a webhook secret") as caught:
        of(*secrets)
    assert "canary" not in str(caught.value)
    assert OLD not in str(caught.value)


@pytest.mark.parametrize("signed", ["", "v1", "v1,", "v1,!", "v1,é", ",", "v2,AAAA", "v1,AAAA " * 100])
def test_a_malformed_signature_is_a_wrong_one(signed: str) -> None:
    assert not of(OLD).fits(headers(signed), BODY)


def test_nobody_signs_for_nobody() -> None:
    assert not is_heard(Signatures.of_nobody(), OLD, NEW)
