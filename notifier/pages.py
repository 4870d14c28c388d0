"""What people see: the form of mails, and the page on which a customer declines or opts out (`/u/{token}`)."""

import base64
import hashlib
from functools import cache
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from jinja2 import PackageLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from notifier import store
from notifier.message import PreparedMail, mark
from notifier.wording import LANGUAGES, Letter
from services.contracts.deliveries import OptedOut
from services.contracts.messages import Brand
from services.contracts.policy import read_policy
from services.contracts.questionnaire import Locale, Words
from services.database import Record, Transaction
from services.web import HouseOf, TransactionOf

router = APIRouter(include_in_schema=True, tags=["notifier"])

Scope = Literal["survey", "all"]
Situation = Literal["asking", "once", "for_good", "unknown", "refused"]

_TITLE: dict[Situation, Words] = {
    "asking": Words(zh="不想参加评价？", en="Rather not be asked?"),
    "once": Words(zh="这一次不再打扰您", en="We will not ask you this time"),
    "for_good": Words(zh="以后不再打扰您", en="We will not ask you again"),
    "unknown": Words(zh="没有这个页面", en="There is no such page"),
    "refused": Words(zh="请在本页再确认一次", en="Please confirm on this page"),
}
_TEXT: dict[Situation, Words] = {
    "asking": Words(
        zh="您可以谢绝这一次，也可以以后都不再收到。不需要说明理由。",
        en="You can decline this time, or never be asked again. You need not give a reason.",
    ),
    "once": Words(
        zh="已经记下。这一次的评价不会再联系您。", en="Noted. You will not hear from us about this survey any more."
    ),
    "for_good": Words(
        zh="已经记下。邮件、短信和电话都不会再请您评价。",
        en="Noted. We will not ask you again, neither by mail nor by SMS nor by telephone.",
    ),
    "unknown": Words(zh="链接可能不完整，或已经失效。", en="The link may be incomplete, or no longer valid."),
    "refused": Words(
        zh="刚才的请求不是从本页发出的，没有记下。", en="That request did not come from this page; nothing was noted."
    ),
}
_ONCE = Words(zh="谢绝这一次", en="Decline this time")
_FOR_GOOD = Words(zh="以后都不再收到", en="Never ask me again")


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=PackageLoader("notifier", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["linked"] = _linked
    return environment


def _linked(text: str) -> Markup:
    """A text of the policy with its links made to be clicked and its lines kept."""
    marked = escape(text)
    for place in ("link", "opt_out"):
        marked = marked.replace(mark(place), Markup('<a href="{0}">{0}</a>').format(mark(place)))
    return marked.replace("\n", Markup("<br>"))


def prepare_mail(letter: Letter, sender: str) -> PreparedMail:
    """The letter in its form, as text and as HTML, ready to be filled in for each recipient."""
    return PreparedMail(
        sender=sender,
        sender_name=letter.brand,
        language=letter.language,
        subject=letter.subject,
        text=_environment().get_template("mail.txt").render(letter=letter),
        html=_environment().get_template("mail.html").render(letter=letter),
    )


@router.get("/u/{token}", response_class=HTMLResponse, summary="The page on which a customer declines")
@router.head("/u/{token}", include_in_schema=False)
async def show_choice(token: str, request: Request, house: HouseOf) -> Response:
    """Shows the choice, or what was chosen before. Looking changes nothing."""
    async with house.database.reading() as transaction:
        link = await store.find_opt_out_link(transaction, _trimmed(token))
    if link is None:
        return _page("unknown", _asked_locale(request), None, 404)
    return _page(_situation(link), _locale(link, request), link)


async def chosen(request: Request) -> str:
    """What the form says; read before the transaction opens, so that a slow sender holds no connection."""
    async with request.form(max_files=0, max_fields=8) as form:
        return "all" if form.get("List-Unsubscribe") == "One-Click" else str(form.get("choice", ""))


@router.post("/u/{token}", response_class=HTMLResponse, summary="Decline this survey, or all")
async def choose(
    token: str,
    request: Request,
    choice: Annotated[str, Depends(chosen)],
    transaction: Annotated[Transaction, TransactionOf("notifier")],
    house: HouseOf,
) -> Response:
    """Takes the choice (`choice=survey` or `choice=all`), or a mail program's one click (RFC 8058): never again."""
    link = await store.find_opt_out_link(transaction, _trimmed(token))
    if link is None:
        return _page("unknown", _asked_locale(request), None, 404)
    locale = _locale(link, request)
    if not _from_here(request, house.settings.public_url):
        return _page("refused", locale, link, 403)
    if choice not in ("survey", "all"):
        return _page(_situation(link), locale, link, 422)
    scope: Scope = "survey" if choice == "survey" else "all"
    if not link["for_good"] and await store.insert_opt_out(transaction, link["person"], scope, link["survey"]):
        transaction.say(
            OptedOut(person=link["person"], survey=link["survey"], scope=scope, opted_out_at=transaction.now)
        )
    return _page("for_good" if scope == "all" or link["for_good"] else "once", locale, link)


def _from_here(request: Request, public_url: str) -> bool:
    """Whether a browser sent the form from our page; mail programs send neither header, and are let pass."""
    origin = request.headers.get("origin")
    here = public_url.rstrip("/").lower(), f"{request.url.scheme}://{request.headers.get('host', '')}".lower()
    same_site = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return same_site and (origin is None or origin.lower() in here)


def _situation(link: Record) -> Situation:
    return "for_good" if link["for_good"] else "once" if link["once"] else "asking"


def _trimmed(token: str) -> str:
    """The token without what a mail program took for a part of the link."""
    return token.rstrip(".,;:)>]}'\"!?。，）】 ")


def _locale(link: Record, request: Request) -> Locale:
    return _language(link["locale"]) if link["locale"] else _asked_locale(request)


def _asked_locale(request: Request) -> Locale:
    return _language(request.headers.get("accept-language", "en"))


def _language(tag: str) -> Locale:
    return "zh" if tag.strip().lower().startswith("zh") else "en"


def _page(situation: Situation, locale: Locale, link: Record | None, status: int = 200) -> Response:
    document = link["document"] if link else None
    brand = read_policy(document).brand if document else Brand()
    html = _environment().get_template("opt_out.html")
    content = html.render(
        language=LANGUAGES[locale],
        brand=brand.name.say(locale) if link else None,
        color=brand.color,
        title=_TITLE[situation].say(locale),
        text=_TEXT[situation].say(locale),
        once=_ONCE.say(locale) if situation in ("asking", "refused") else None,
        for_good=_FOR_GOOD.say(locale) if situation in ("asking", "refused", "once") else None,
    )
    return HTMLResponse(content, status, _headers(content))


def _headers(content: str) -> dict[str, str]:
    """A page without script, frames, referrer or memory; its one style sheet is allowed by its hash."""
    style = content.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-robots-tag": "noindex, nofollow",
        "content-language": content.partition('lang="')[2].partition('"')[0],
    }
