"""The survey page: shown without a vote, answered in one durable transaction, thanked for."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from scoring import palette, store
from scoring.asked import narrowed
from scoring.form import Field, conditions, fields, sections, title_conditions
from scoring.handlers import Policies, Reception
from scoring.page import Page, standing
from scoring.parts import parts
from scoring.response import Reading
from scoring.skeleton import Skeleton, place
from scoring.submission import Submission
from scoring.validity import tells_apart
from scoring.visit import Nonce, is_foreign, is_prefetch, is_scanner, locale_of, token_of, write_nonce
from scoring.wording import LANGUAGES, NAMES, PHRASES, Phrase, say
from services import metrics
from services.contracts.messages import Brand
from services.contracts.policy import Policy
from services.contracts.questionnaire import LOCALES, SCALES, Item, Locale, Questionnaire, Words
from services.database import Transaction
from services.errors import Unavailable
from services.gather import Gather
from services.house import House
from services.pages import render
from services.seal import token_hash

log = structlog.get_logger(__name__)

FIELDS_MOST = 300
STYLES_MOST = 512
SHEETS_MOST = 512
"""Questionnaires kept printed; surveys that ask some items only make many."""
_IDS = re.compile(r"#([a-z0-9_-]+)")
FORM = "application/x-www-form-urlencoded"
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "vary": "accept-language",
}


class Visit(NamedTuple):
    """A request as far as a page depends on it. `asked` is the language in the address."""

    token: str
    asked: str | None
    score: str | None
    accepted: str

    @property
    def hash(self) -> bytes:
        """By which the page is found."""
        return token_hash(self.token)


class Style(NamedTuple):
    """A page's style sheet, and the policy that allows it and nothing else."""

    css: Markup
    policy: str


@lru_cache(maxsize=STYLES_MOST)
def style_of(color: str, shown_when: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> Style:
    """The style for a brand colour, with what shows items whose condition holds."""
    css = render(
        "scoring",
        "survey.css",
        colors=palette.palette(color),
        conditions=dict(shown_when),
        ink=palette.INK,
        muted=palette.MUTED,
        line=palette.LINE,
        edge=palette.EDGE,
        star=palette.STAR,
        error=palette.ERROR,
    )
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    allowed = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'"
    return Style(Markup(css), f"{allowed}; base-uri 'none'; frame-ancestors 'none'")  # noqa: S704 - our own template


def _frame(locale: Locale, brand: str, style: Style, score: str = "") -> dict[str, object]:
    """What every page has around its content."""
    other = next(each for each in LOCALES if each != locale)
    return {
        "locale": locale,
        "language": LANGUAGES[locale],
        "other_locale": other,
        "other_language": LANGUAGES[other],
        "other_name": NAMES[other],
        "preselect": score,
        "brand": brand,
        "style": style.css,
    }


def _respond(body: bytes, style: Style, locale: Locale, status: int = 200) -> Response:
    response = Response(body, status)
    response.raw_headers = [(b"content-length", str(len(body)).encode()), *_headers(style.policy, locale)]
    return response


@lru_cache(maxsize=STYLES_MOST)
def _headers(policy: str, locale: Locale) -> tuple[tuple[bytes, bytes], ...]:
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "content-language": LANGUAGES[locale],
        **_HEADERS,
    }
    return tuple((name.encode(), value.encode()) for name, value in headers.items())


class Notice:
    """A page that only tells something, printed once for each language; `change` leads back to the form."""

    def __init__(self, title: Phrase, text: Words, *, brand: Brand | None = None, sign: str = "") -> None:
        self._title = title
        self._text = text
        self._brand = brand
        self._sign = sign
        self._style = style_of((brand or Brand()).color)
        self._printed: dict[tuple[Locale, bool], Skeleton] = {}

    def respond(self, locale: Locale, status: int, change: str = "") -> Response:
        """The page; with a token to change the answer by, where it may be changed."""
        key = (locale, bool(change))
        if key not in self._printed:
            self._printed[key] = Skeleton(self._page(*key))
        return _respond(self._printed[key].fill({"token": change}), self._style, locale, status)

    def _page(self, locale: Locale, changeable: bool) -> str:
        brand = self._brand.name.say(locale) if self._brand else ""
        return render(
            "scoring",
            "notice.html",
            title=say(self._title, locale),
            text=self._text.say(locale),
            sign=self._sign,
            change=say("change", locale) if changeable else "",
            token=place("token"),
            **_frame(locale, brand, self._style),
        )


_NEUTRAL = Notice("closed_title", PHRASES["closed_text"])
_UNAVAILABLE = Notice("unavailable_title", PHRASES["unavailable_text"])


def neutral(visit: Visit, status: int) -> Response:
    """The page that tells nothing: for links that never were (404), and for those that are over (410)."""
    return _NEUTRAL.respond(locale_of(visit.asked, None, visit.accepted, None), status)


def unavailable(visit: Visit, page: Page | None = None) -> Response:
    """The page that asks for patience: the database is away, or a survey's policy still on its way."""
    known = page.locale if page else None
    response = _UNAVAILABLE.respond(locale_of(visit.asked, known, visit.accepted, None), 503)
    response.headers["retry-after"] = "5"
    return response


class Sheet:
    """What a survey asks, as pages: printed once for each language, then only filled in."""

    def __init__(self, policy: Policy, questionnaire: Questionnaire) -> None:
        self.policy = policy
        self.questionnaire = questionnaire
        self._parts = parts(questionnaire, policy.dimensions)
        thanks = self.questionnaire.thanks or PHRASES["done_text"]
        self.thanks = Notice("done_title", thanks, brand=policy.brand, sign="done")
        self.thanks_for_good = Notice("done_title", PHRASES["final_text"], brand=policy.brand, sign="done")
        shown_when = conditions(self.questionnaire)
        titles = title_conditions(self._parts, shown_when)
        selectors = {f"f-{item}": needed for item, needed in shown_when.items()}
        selectors |= {f"p-{part}": needed for part, needed in titles.items()}
        self._style = style_of(policy.brand.color, tuple(selectors.items()))
        self._needed = {found for needed in shown_when.values() for each in needed for found in _IDS.findall(each)}
        overall = self.questionnaire.overall
        marks = SCALES[overall.scale].marks if overall and overall.scale else ()
        self._scores = frozenset(str(mark.value) for mark in marks)
        self._printed: dict[tuple[Locale, bool], Skeleton] = {}

    def form(self, places: Mapping[str, str], locale: Locale, *, ticketed: bool, score: str | None) -> Response:
        """The form as nobody has answered it yet; a score in the link preselects the overall item."""
        skeleton = self._printed.get((locale, ticketed))
        if skeleton is None:
            skeleton = self._printed[locale, ticketed] = self._print(locale, ticketed)
        chosen = {f"is-{score}": " checked", "score": f"&amp;score={score}"} if score in self._scores else {}
        return _respond(skeleton.fill({**places, **chosen}), self._style, locale)

    def _print(self, locale: Locale, ticketed: bool) -> Skeleton:
        def state(item: Item, value: str, given: bool) -> str:
            return place(f"is-{value}") if item.overall and value in self._scores else ""

        drawn = fields(self.questionnaire, locale, {}, {}, state)
        places = {name: place(name) for name in ("token", "nonce", "opt_out", "ticket")}
        return Skeleton(self._page(locale, drawn, place("score"), ticketed=ticketed, **places))

    def form_again(
        self,
        places: Mapping[str, str],
        locale: Locale,
        page: Page,
        reading: Reading,
        *,
        status: int = 200,
        resend: bool = False,
    ) -> Response:
        """The form with answers in it: to correct them, to mend what is wrong with them, or to send them again."""
        drawn = fields(self.questionnaire, locale, reading.answers, {} if resend else reading.faults)
        filled = {name: Markup(value) for name, value in places.items()}  # noqa: S704 - HTML already
        shown = {"ticketed": page.ticket is not None, "again": page.version > 0, "resend": resend}
        return _respond(self._page(locale, drawn, "", **shown, **filled).encode(), self._style, locale, status)

    def _page(self, locale: Locale, drawn: Sequence[Field], score: str, **more: object) -> str:
        def in_locale(phrase: Phrase) -> str:
            return say(phrase, locale)

        return render(
            "scoring",
            "survey.html",
            title=self.questionnaire.title.say(locale),
            purpose=self.questionnaire.purpose.say(locale),
            sections=sections(self._parts, drawn, locale),
            faults=[each for each in drawn if each.fault],
            needed=self._needed | {each.first_id for each in drawn if each.fault},
            say=in_locale,
            **{"again": False, "resend": False, **more},
            **_frame(locale, self.policy.brand.name.say(locale), self._style, score),
        )


class SurveyPages:
    """What `/s/{token}` does."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._policies = Policies()
        self._sheets: dict[tuple[str, int, str, tuple[str, ...]], Sheet] = {}
        self._find = Gather(house.database, "scoring", self._find_pages)
        self._take = Gather(house.database, "scoring", Reception(self._policies).take)

    async def visit(self, request: Request) -> Response:
        """Shows the page, or takes an answer. Nothing but a POST from the page itself ever votes."""
        visit = _visit(request)
        try:
            return await self._respond(visit, request)
        except Unavailable as error:
            log.warning("page_unavailable", error=str(error))
            return unavailable(visit)

    async def _respond(self, visit: Visit, request: Request) -> Response:
        if request.method == "POST":
            return await self._answer(visit, request)
        quiet = is_prefetch(request.method, request.headers)
        if quiet or is_scanner(request.headers):
            metrics.SCANNER_VISITS.inc()
        if quiet:
            return Response(b"", 200, _HEADERS, "text/html")
        page = await self._find(visit.hash) if visit.token else None
        if page is None:
            return neutral(visit, 404)
        return self._show(page, visit)

    async def _find_pages(self, transaction: Transaction, hashes: Sequence[bytes]) -> Sequence[Page | None]:
        pages = await store.find_pages(transaction, hashes)
        await self._policies.learn(transaction, pages.values())
        return [pages.get(each) for each in hashes]

    def _show(self, page: Page, visit: Visit) -> Response:
        sheet = self._sheet(page)
        if sheet is None:
            return unavailable(visit, page)
        now = self._house.clock.now()
        state = standing(page, now, sheet.policy.corrections.within)
        locale = locale_of(visit.asked, page.locale, visit.accepted, sheet.policy)
        if state == "closed":
            return neutral(visit, 410)
        if state == "answered":
            return sheet.thanks_for_good.respond(locale, 410)
        places = self._places(page, visit, now)
        if state == "open":
            return sheet.form(places, locale, ticketed=page.ticket is not None, score=visit.score)
        return sheet.form_again(places, locale, page, Reading(dict(page.answers), {}))

    async def _answer(self, visit: Visit, request: Request) -> Response:
        sent = await _fields(request)
        page, verdict = await self._take(self._submission(visit, sent, request)) if visit.token else (None, None)
        if page is None:
            return neutral(visit, 404)
        sheet = self._sheet(page)
        if verdict is None or sheet is None:
            return unavailable(visit, page)
        if verdict.fate == "closed":
            return neutral(visit, 410)
        locale = locale_of(visit.asked, page.locale, visit.accepted, sheet.policy)
        if verdict.fate == "answered":
            return sheet.thanks_for_good.respond(locale, 410)
        if verdict.fate == "given" and verdict.version:
            metrics.RESPONSES.labels(page.name, verdict.version.channel, verdict.version.validity).inc()
        if verdict.fate in ("given", "corrected", "kept"):
            return sheet.thanks.respond(locale, 200, visit.token)
        places = self._places(page, visit, verdict.issued_at or self._house.clock.now())
        if verdict.fate == "faulty" and verdict.reading:
            return sheet.form_again(places, locale, page, verdict.reading, status=422)
        # What another site sent is not shown: the customer must not be led into sending it himself.
        reading = verdict.reading or Reading(dict(page.answers), {})
        return sheet.form_again(places, locale, page, reading, status=403, resend=True)

    def _submission(self, visit: Visit, sent: Sequence[tuple[str, str]], request: Request) -> Submission:
        address = request.client.host if request.client else None
        return Submission(
            token_hash=visit.hash,
            secret=self._secret("form", visit.token),
            fields=sent,
            foreign=is_foreign(request.headers, self._house.settings.public_url),
            scanner=is_scanner(request.headers),
            address=address,
            origin=self._secret("origin", address) if address and tells_apart(address) else None,
        )

    def _secret(self, purpose: str, text: str) -> str:
        """What nobody without the house's keys can make of a text."""
        return self._house.seal.link_token(purpose, UUID(bytes=token_hash(text)[:16]))

    def _places(self, page: Page, visit: Visit, issued_at: datetime) -> dict[str, str]:
        """What differs from link to link, as HTML."""
        return {
            "token": visit.token,
            "nonce": write_nonce(self._secret("form", visit.token), Nonce(issued_at, page.version)),
            "opt_out": self._house.seal.link_token("opt-out", page.survey),
            "ticket": str(escape(page.ticket or "")),
        }

    def _sheet(self, page: Page) -> Sheet | None:
        key = (page.policy, page.policy_version, page.questionnaire, page.items)
        policy = self._policies.of(page)
        if policy and key not in self._sheets:
            if len(self._sheets) >= SHEETS_MOST:
                self._sheets.clear()
            self._sheets[key] = Sheet(policy, narrowed(policy.questionnaires[page.questionnaire], page.items))
        return self._sheets.get(key)


def _visit(request: Request) -> Visit:
    token = token_of(request.path_params["token"]) or ""
    query = request.query_params
    return Visit(token, query.get("lang"), query.get("score"), request.headers.get("accept-language", ""))


async def _fields(request: Request) -> list[tuple[str, str]]:
    """The form's fields as they came. Raises `HTTPException` for what is no form of ours."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", FORM):
        raise HTTPException(400, f"A form is sent as {FORM}.")
    try:
        body = await request.body()
        if body and not kind:
            raise HTTPException(400, f"A form is sent as {FORM}.")
        return parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=FIELDS_MOST)
    except ClientDisconnect:
        raise HTTPException(400, "The form did not arrive whole.") from None
    except ValueError:
        raise HTTPException(400, f"A form has at most {FIELDS_MOST} fields.") from None
