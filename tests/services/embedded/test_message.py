from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.embedded.message import find_links, is_survey, open_links_outside, pieces, read_mail

SURVEY = "http://127.0.0.1:8000/s/AbC-_9"


def mail(html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "客户服务中心 <satisfaction@example.com>"
    message["Subject"] = "请您评价：服务请求 OPS-7"
    message.set_content(f"您好：\n请评价 {SURVEY}。\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


def test_a_mail_is_read_as_its_reader_sees_it() -> None:
    read = read_mail(mail("<p>您好</p>").as_bytes())
    assert read.subject == "请您评价：服务请求 OPS-7"
    assert read.sender == "客户服务中心 <satisfaction@example.com>"
    assert read.text == f"您好：\n请评价 {SURVEY}。\n"
    assert read.html == "<p>您好</p>\n"


def test_a_mail_without_html_has_none() -> None:
    assert read_mail(mail().as_bytes()).html is None


@pytest.mark.parametrize("charset", ["klingon", "utf-8"])
def test_a_part_that_cannot_be_decoded_is_shown_as_well_as_it_can_be(charset: str) -> None:
    content = f"Subject: x\r\nContent-Type: text/plain; charset={charset}\r\n\r\nabc \xff".encode("latin-1")
    assert read_mail(content).text.startswith("abc ")


def test_no_character_that_the_database_refuses() -> None:
    assert "\0" not in read_mail(b"Subject: x\r\n\r\na\0b").text


def test_the_surveys_own_link_is_first() -> None:
    html = f'<a href="{SURVEY}?score=5">5</a> <a href="{SURVEY}?score=4">4</a> <a href="{SURVEY}">go</a>'
    html += '<a href="http://127.0.0.1:8000/u/xyz">no</a><a href="mailto:a@example.com">m</a><a name="x">n</a>'
    text = f"http://example.com/help\n{SURVEY}?score=5\n{SURVEY}\n"
    assert find_links(text, html) == [
        SURVEY,
        f"{SURVEY}?score=5",
        f"{SURVEY}?score=4",
        "http://example.com/help",
        "http://127.0.0.1:8000/u/xyz",
    ]


@pytest.mark.parametrize("around", ["{}.", "({})", "{}。谢谢", "，{}，", "<{}>", "{}\n", "“{}”", "{}！"])
def test_what_stands_around_a_link_is_not_part_of_it(around: str) -> None:
    assert find_links(around.format(SURVEY), None) == [SURVEY]


@given(st.text())
def test_cutting_at_links_loses_nothing(text: str) -> None:
    assert "".join(piece.text for piece in pieces(text)) == text


@given(st.lists(st.sampled_from([SURVEY, " ", "词", ".", "http://", "https://example.com/?a=1"])))
def test_every_piece_that_is_a_link_leads_where_it_says(parts: list[str]) -> None:
    assert all(piece.link in (None, piece.text) for piece in pieces("".join(parts)))


def test_only_survey_pages_are_surveys() -> None:
    assert is_survey(SURVEY)
    assert not is_survey("http://127.0.0.1:8000/u/s/x")


@pytest.mark.parametrize("html", ["<html><HEAD lang=en><title>x", "<head><title>x", "<p>x"])
def test_links_of_a_mail_open_outside_of_it(html: str) -> None:
    changed = open_links_outside(html)
    assert changed.count('<base target="_blank">') == 1
    assert changed.replace('<base target="_blank">', "") == html


def test_only_the_head_itself_is_taken_for_the_head() -> None:
    assert open_links_outside("<header>x").startswith("<base")
