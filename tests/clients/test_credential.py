"""A key file is taken field by field or not at all, and what is wrong with it is said without quoting it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from syncer.clients.google.credential import GOOGLE_TOKEN_URI, AuthorizedUser, ServiceAccount, parse
from syncer.clients.secret import Secret
from syncer.model.errors import OperatorError

USER = {"type": "authorized_user", "client_id": "c", "client_secret": "canary-s", "refresh_token": "canary-r"}
Key = Callable[[str], dict[str, str]]


def parsed(content: Any) -> ServiceAccount | AuthorizedUser:
    text = content if isinstance(content, str) else json.dumps(content)
    return parse("file:ana.json", Secret(text), token_uris=(GOOGLE_TOKEN_URI,))


def test_a_service_account_is_read(service_account: Key) -> None:
    credential = parsed(service_account(GOOGLE_TOKEN_URI))
    assert isinstance(credential, ServiceAccount)
    assert credential.client_email == "syncer@example.test"
    assert "PRIVATE" not in repr(credential)


def test_a_user_may_leave_out_googles_own_endpoint() -> None:
    credential = parsed({**USER, "account": "", "universe_domain": "googleapis.com"})
    assert isinstance(credential, AuthorizedUser)
    assert credential.token_uri == GOOGLE_TOKEN_URI
    assert "canary" not in repr(credential)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{canary", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ({"type": "external_account"}, "is of a type that is not accepted"),
        ({"type": ["canary"]}, "is of a type that is not accepted"),
        ({"type": "service_account"}, "lacks client_email, private_key, private_key_id, token_uri"),
        ({**USER, "executable": "canary"}, "has fields that its type does not have"),
        ({**USER, "client_id": 7}, "has no usable text in client_id"),
        ({**USER, "refresh_token": ""}, "has no usable text in refresh_token"),
        ({**USER, "refresh_token": "canary" * 4000}, "has no usable text in refresh_token"),
        ({**USER, "universe_domain": "canary.test"}, "is of another universe_domain"),
        ({**USER, "token_uri": "https://canary.test/token"}, "names a token_uri that is not allowed"),
        ({**USER, "token_uri": GOOGLE_TOKEN_URI + "/"}, "names a token_uri that is not allowed"),
        ({**USER, "token_uri": "HTTPS://oauth2.googleapis.com/token"}, "names a token_uri that is not allowed"),
        ({**USER, "token_uri": None}, "names a token_uri that is not allowed"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(content: Any, says: str) -> None:
    with pytest.raises(OperatorError, match="credential file:ana") as caught:
        parsed(content)
    assert says in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None
