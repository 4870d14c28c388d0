import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.signature import SCHEMES, SignatureError, answer_challenge, challenges, is_long_enough, verify

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
SECRET = "a secret of more than 24 bytes"
OTHER = "another secret, as long as that"
BODY = b'{"ticket": "T-1"}'
STAMP = str(int(NOW.timestamp()))
ZENDESK_STAMP = "2024-04-17T17:18:10Z"


def mac(text: bytes, secret: str = SECRET, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), text, algorithm).digest()


def base(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def standard(body: bytes = BODY, stamp: str = STAMP, id: str = "msg_1", key: bytes = SECRET.encode()) -> dict[str, str]:
    digest = hmac.digest(key, f"{id}.{stamp}.".encode() + body, "sha256")
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{base(digest)}"}


SIGNED = {
    ("jira", "hex of the body"): {"x-hub-signature": f"sha256={mac(BODY).hex()}"},
    ("jira", "256"): {"x-hub-signature-256": f"sha256={mac(BODY).hex()}"},
    ("zendesk", "timestamp and body"): {
        "x-zendesk-webhook-signature": base(mac(ZENDESK_STAMP.encode() + BODY)),
        "x-zendesk-webhook-signature-timestamp": ZENDESK_STAMP,
    },
    ("zendesk", "hub"): {"x-hub-signature-256": f"sha256={mac(BODY).hex()}"},
    ("zammad", "sha1"): {"x-hub-signature": f"sha1={mac(BODY, algorithm='sha1').hex()}"},
    ("zammad", "sha256"): {"x-hub-signature": f"sha256={mac(BODY).hex()}"},
    ("glpi", "body and timestamp"): {
        "x-glpi-signature": mac(BODY + STAMP.encode()).hex(),
        "x-glpi-timestamp": STAMP,
    },
    ("glpi", "hub"): {"x-hub-signature": f"sha256={mac(BODY).hex()}"},
    ("servicenow", "base64"): {"x-huifang-signature": base(mac(BODY))},
    ("servicenow", "hex"): {"x-huifang-signature": mac(BODY).hex()},
    ("servicenow", "prefixed"): {"x-huifang-signature": f"sha256={base(mac(BODY))}"},
    ("servicenow", "standard"): standard(),
    ("generic", "standard"): standard(),
    ("generic", "hub"): {"x-hub-signature": f"sha256={mac(BODY).hex()}"},
    ("pagerduty", "two"): {"x-pagerduty-signature": f"v1={mac(b'old').hex()},v1={mac(BODY).hex()}"},
    ("redmine", "hex"): {"x-redmine-signature-256": f"sha256={mac(BODY).hex()}"},
    ("gitlab", "token"): {"x-gitlab-token": SECRET},
    ("gitlab", "signing token"): standard(),
    ("token", "token"): {"x-huifang-token": SECRET},
    ("bearer", "bearer"): {"authorization": f"Bearer {SECRET}"},
}


@pytest.mark.parametrize(("scheme", "way"), SIGNED)
def test_each_system_signs_as_it_does(scheme: str, way: str) -> None:
    headers = SIGNED[scheme, way]
    verify(scheme, headers, BODY, [SECRET], NOW)
    for wrong in ([OTHER], []):
        with pytest.raises(SignatureError):
            verify(scheme, headers, BODY, wrong, NOW)


@pytest.mark.parametrize(("scheme", "way"), [key for key in SIGNED if key[1] not in ("token", "bearer")])
def test_row_2_another_body_is_not_what_was_signed(scheme: str, way: str) -> None:
    respaced = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
    assert respaced != BODY
    with pytest.raises(SignatureError):
        verify(scheme, SIGNED[scheme, way], respaced, [SECRET], NOW)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("value", [None, "", "v0,", "sha256=", "v1,", "v1=", "sha1=", "Bearer ", "=", "ä", "sha256=zz"])
def test_row_1_no_signature_an_empty_one_or_a_wrong_scheme(scheme: str, value: str | None) -> None:
    headers = {
        way.header: value for way in SCHEMES[scheme] if value is not None
    } | {"webhook-id": "1", "webhook-timestamp": STAMP, "x-glpi-timestamp": STAMP}  # fmt: skip
    with pytest.raises(SignatureError):
        verify(scheme, headers, BODY, [SECRET], NOW)


@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 3_600])
def test_row_3_a_timestamp_outside_five_minutes(seconds: int) -> None:
    stamp = str(int(NOW.timestamp()) + seconds)
    with pytest.raises(SignatureError):
        verify("generic", standard(stamp=stamp), BODY, [SECRET], NOW)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_row_3_a_timestamp_within_five_minutes(seconds: int) -> None:
    verify("generic", standard(stamp=str(int(NOW.timestamp()) + seconds)), BODY, [SECRET], NOW)


@pytest.mark.parametrize("stamp", ["", "now", "-1772416800", "1" * 20, "1772416800.0", "٠", ZENDESK_STAMP])
def test_row_3_a_timestamp_that_is_none(stamp: str) -> None:
    with pytest.raises(SignatureError):
        verify("generic", standard(stamp=stamp), BODY, [SECRET], NOW)


def test_row_3_zendesk_tells_no_tolerance_but_a_time() -> None:
    headers = {
        "x-zendesk-webhook-signature": base(mac(b"soon" + BODY)),
        "x-zendesk-webhook-signature-timestamp": "soon",
    }
    with pytest.raises(SignatureError):
        verify("zendesk", headers, BODY, [SECRET], NOW)


@pytest.mark.parametrize(("age", "good"), [(timedelta(days=6), True), (timedelta(days=8), False)])
def test_glpi_sends_again_with_the_old_timestamp(age: timedelta, good: bool) -> None:
    headers = SIGNED["glpi", "body and timestamp"]
    if good:
        verify("glpi", headers, BODY, [SECRET], NOW + age)
    else:
        with pytest.raises(SignatureError):
            verify("glpi", headers, BODY, [SECRET], NOW + age)


def test_row_7_one_of_several_signatures_and_one_of_several_secrets() -> None:
    headers = standard()
    headers["webhook-signature"] = f"v1a,xx v1,{base(mac(b'unknown', OTHER))} {headers['webhook-signature']}"
    verify("generic", headers, BODY, [OTHER, SECRET], NOW)
    with pytest.raises(SignatureError):
        verify("generic", headers, BODY, [OTHER], NOW)


def test_only_so_many_signatures_are_looked_at() -> None:
    headers = standard()
    headers["webhook-signature"] = "v1,AAAA " * 8 + headers["webhook-signature"]
    with pytest.raises(SignatureError):
        verify("generic", headers, BODY, [SECRET], NOW)


def test_the_vector_of_standard_webhooks(shared: Path) -> None:
    file = shared / "data/payloads/standard-webhooks/test_vector.standard-webhooks-libs.json"
    vector = json.loads(file.read_bytes())
    then = datetime.fromtimestamp(int(vector["headers"]["webhook-timestamp"]), UTC)
    found = verify("generic", vector["headers"], vector["body"].encode(), [vector["secret"]], then)
    assert found.delivery == vector["headers"]["webhook-id"]


def test_a_secret_of_standard_webhooks_is_base64_to_some_and_text_to_others() -> None:
    key = hashlib.sha256(b"key").digest()
    for secret in (f"whsec_{base(key)}", base(key)):
        verify("generic", standard(key=key), BODY, [secret], NOW)
        verify("generic", standard(key=secret.encode()), BODY, [secret], NOW)


def test_delivery_ids_come_from_the_scheme_s_header() -> None:
    headers = {"x-hub-signature": f"sha256={mac(BODY).hex()}"}
    identified = headers | {"x-atlassian-webhook-identifier": "7"}
    assert verify("jira", identified, BODY, [SECRET], NOW).delivery == "7"
    assert verify("jira", headers, BODY, [SECRET], NOW).delivery is None


def test_glpi_s_challenge_is_answered_and_nothing_else_is_signed() -> None:
    token = mac(b"validate_cra_challenge").hex()
    assert answer_challenge(token, [OTHER, SECRET]) == mac(token.encode()).hex()
    for forged in ("", "x", mac(BODY + STAMP.encode()).hex(), BODY.decode() + STAMP, "ä"):
        with pytest.raises(SignatureError):
            answer_challenge(forged, [SECRET])


def test_only_glpi_asks_for_a_proof() -> None:
    assert [scheme for scheme in SCHEMES if challenges(scheme)] == ["glpi"]


@pytest.mark.parametrize(("secret", "good"), [("", False), ("changeme", False), ("x" * 23, False), ("x" * 24, True)])
def test_row_58_secrets_that_are_none(secret: str, good: bool) -> None:
    assert is_long_enough(secret) is good


@given(st.sampled_from(sorted(SCHEMES)), st.dictionaries(st.sampled_from(sorted(
    {way.header for ways in SCHEMES.values() for way in ways} | {"webhook-id", "webhook-timestamp", "x-glpi-timestamp"}
)), st.text()), st.binary())  # fmt: skip
def test_nothing_that_is_not_signed_passes(scheme: str, headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(SignatureError):
        verify(scheme, headers, body, [SECRET], NOW)
