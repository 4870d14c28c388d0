import csv
import io
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.customer_cells import KNOWN
from services.contracts.customer_file import CustomerFile, ListedCustomer, ListedPerson, read_customers
from services.contracts.customers import CustomerFacts, Project
from services.contracts.tickets import Requester

HEADER = "customer,customer_name,kind,tier,project,project_manager,person,person_name,email,phone,roles,consent"
EMILY = "u-1,Emily Adams,emily@example.com,+8613800138000,leader,email"


def read(*rows: str, header: str = HEADER) -> CustomerFile:
    return read_customers("\n".join((header, *rows)).encode())


def told(*rows: str, header: str = HEADER) -> list[str]:
    return [str(finding) for finding in read(*rows, header=header).findings]


def test_a_customer_with_two_people_and_two_projects() -> None:
    (customer,) = read(
        f"C-1,Example Ltd,organisation,core,P-1,u-3,{EMILY}",
        "C-1,,,,P-2,u-4,u-1,,,,,",
        "C-1,,,,,,,Li Hua,,13900139000,user;administrator,call、短信",
    ).customers
    assert (customer.customer, customer.name, customer.line) == ("C-1", "Example Ltd", 2)
    assert customer.facts == CustomerFacts(
        tier="core", projects=(Project(id="P-1", manager="u-3"), Project(id="P-2", manager="u-4"))
    )
    emily, li = customer.people
    assert emily.requester == Requester(id="u-1", name="Emily Adams", email="emily@example.com", phone="+8613800138000")
    assert (emily.id, emily.roles, emily.projects, emily.consent) == ("u-1", ("leader",), ("P-1", "P-2"), ("email",))
    assert (li.id, li.roles, li.projects, li.consent) == (
        "13900139000",
        ("user", "administrator"),
        (),
        ("sms", "call"),
    )


def test_chinese_headers_in_gb18030() -> None:
    text = (
        "客户编号;客户名称;客户类型;客户层级;指标：revenue;合作开始日期;联系人;手机;角色;同意渠道\r\n"
        "C-1;示例公司;企业;核心;1,250.5;2019年5月1日;李华;13800138000;领导;全部\r\n"
    )
    found = read_customers(text.encode("gb18030"))
    assert (found.charset, found.delimiter, found.rows, found.findings) == ("gb18030", ";", 1, ())
    (customer,) = found.customers
    assert customer.facts == CustomerFacts(tier="核心", active_since=date(2019, 5, 1), figures={"revenue": 1250.5})
    assert customer.people[0].requester.name == "李华"
    assert customer.people[0].consent == ("email", "sms", "call", "visit")


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_row_59_every_dress_of_the_same_table(charset: str, end: str, delimiter: str) -> None:
    lines = ["客户,客户名称,联系人,邮箱,同意", "C-1,示例公司,李华,li@example.com,email"]
    text = end.join(line.replace(",", delimiter) for line in lines)
    found = read_customers(text.encode(charset))
    assert found.findings == ()
    assert [(each.name, each.people[0].id) for each in found.customers] == [("示例公司", "li@example.com")]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"PK\x03\x04" + bytes(100), "workbook"),
        (b"customer\nC\x001\n", "NUL"),
        (b"customer\n\xff\xff\xff\n", "no UTF-8"),
        (b'customer\n"C-1\nC-2\n', "quotes"),
        (b"a," * 1_000_000, "columns, more than"),
        (b"klant,tier\nC-1,core\n", "no such column"),
        ("customer,客户编号\nC-1,C-1\n".encode(), "means the same as"),
        (b"customer,figure:Rev enue\nC-1,1\n", "no name of a figure"),
        (b"customer,email\nC-1,a@example.com\n", "no such column"),
    ],
)
def test_row_59_and_60_what_is_no_register_is_refused(data: bytes, what: str) -> None:
    (finding,) = read_customers(data).findings
    assert what in finding.what
    assert finding.line >= 1
    assert finding.remedy


@pytest.mark.parametrize(
    ("row", "column", "what"),
    [
        (f",Example,,,,,{EMILY}", "customer", "empty"),
        ("=C1,,,,,,,,,,,", "customer", "a formula is no name"),
        ("1.38E+10,,,,,,,,,,,", "customer", "rounded"),
        ("C-1,,goverment,,,,,,,,,", "kind", "not a kind"),
        ("C-1,,,,,u-3,,,,,,", "project", "empty, though the row tells of a project"),
        ("C-1,,,,,,,Emily,,,leader,", "person", "nobody is named"),
        ("C-1,,,,,,,Emily,,1.38E+10,,email", "phone", "rounded"),
        ("C-1,,,,,,u-1,Emily,,,,pigeon", "consent", "not a channel"),
        ("C-1,,,,,,u-1,,=x@y.z,,,", "email", "not an e-mail address"),
        (f"C-1,{'x' * 201},,,,,,,,,,", "customer_name", "201 characters"),
        ('C-1,"two\nlines",,,,,,,,,,', "customer_name", "line break"),
        ("13800138000,Bob,consumer,,,,,,,13800138000,,", "customer", "no number of his"),
        ("C-1,Bob,consumer,,,,,,,,,", "customer_name", "kept only with his address"),
    ],
)
def test_row_60_each_refused_cell_is_named_with_a_remedy(row: str, column: str, what: str) -> None:
    (finding,) = read(row).findings
    assert (finding.line, finding.column) == (2, column)
    assert what in finding.what
    assert finding.remedy


def test_what_is_wrong_never_repeats_what_stands_in_the_cell() -> None:
    (text,) = told("C-1,,,,,,u-1,Emily,,=secret,,")
    assert "secret" not in text


def test_every_refused_row_is_named() -> None:
    assert told("C-1,,sect,,,,,,,,,", ",,,,,,,,,,,x", "C-2,,,,,,,,,,,", "C-3,,,,,,u-1,,,5.1E+3,,pigeon") == [
        "line 2, column kind: not a kind of customer. Write organisation (企业) or consumer (个人)",
        "line 3, column consent: not a channel. Write email, sms, call, visit, or all; leave it empty for no consent",
        "line 3, column customer: empty. Give the customer's number on every row",
        "line 5, column phone: a spreadsheet has rounded this number. "
        "Format the column as text in your program, correct it, and save again",
        "line 5, column consent: not a channel. Write email, sms, call, visit, or all; leave it empty for no consent",
    ]


def test_row_60_duplicate_rows_and_two_phones() -> None:
    row = f"C-1,Example,,,,,{EMILY}"
    assert told(row, row) == [
        "line 3, column customer: the same customer, person and project as on line 2. Remove one of the two rows"
    ]
    other = read(row, "C-1,,,,P-1,,u-1,,,+8613900139000,,").findings
    assert [(finding.line, finding.column) for finding in other] == [(3, "phone")]
    assert "from line 2 on" in other[0].what


def test_customers_and_projects_agree_on_all_their_rows() -> None:
    findings = read("C-1,Example,,core,P-1,u-3,,,,,,", "C-1,Example,,important,P-1,u-4,u-1,,,,,").findings
    assert [(finding.line, finding.column) for finding in findings] == [(3, "tier"), (3, "project_manager")]


def test_a_person_belongs_to_one_customer() -> None:
    (finding,) = read(f"C-1,,,,,,{EMILY}", f"C-2,,,,,,{EMILY}").findings
    assert (finding.line, finding.what) == (3, "this person belongs to another customer on line 2")


def test_a_consumers_name_is_his_persons() -> None:
    (customer,) = read("C-1,Emily Adams,个人,,,,,,emily@example.com,,,all").customers
    assert (customer.name, customer.facts.kind) == (None, "consumer")
    assert customer.people[0].requester.name == "Emily Adams"


def test_row_60_an_empty_consent_is_no_consent() -> None:
    (customer,) = read("C-1,,,,,,u-1,,emily@example.com,,,").customers
    assert customer.people[0].consent == ()


def test_row_60_formulas_lose_their_power() -> None:
    found = read('C-1,"=HYPERLINK(""http://evil"")",,@core,,,,,,,,')
    assert found.findings == ()
    assert (found.customers[0].name, found.customers[0].facts.tier) == ('\'=HYPERLINK("http://evil")', "'@core")
    assert [(note.line, note.column) for note in found.notes] == [(2, "customer_name"), (2, "tier")]


def test_days_in_the_wrong_order() -> None:
    header = "customer,active_since,last_active,project,project_started,project_accepted"
    assert told("C-1,2026-03-02,2026-03-01,P-1,2026-02-02,2026-01-01", header=header) == [
        "line 2, column last_active: before active_since. Correct one of the two days",
        "line 2, column project_accepted: before project_started. Correct one of the two days",
    ]
    assert told("C-1,2026-02-30,,,,", header=header)[0].startswith("line 2, column active_since: not a day")


@pytest.mark.parametrize("cell", ["many", "1e999", "nan", "١٢", "1,2,3", "0x1F", "-"])
def test_figures_are_numbers(cell: str) -> None:
    assert "not a number" in told(f'C-1,"{cell}"', header="customer,figure:revenue")[0]


def test_columns_that_nobody_knows_are_named_and_those_given_are_told() -> None:
    found = read("C-1,core,x,y", header="customer,Tier,vat id,")
    assert found.unknown == ("vat id",)
    assert found.given == {"customer": "customer", "tier": "Tier"}


@given(st.binary(max_size=400))
def test_no_bytes_whatever_raise(data: bytes) -> None:
    found = read_customers(data)
    assert found.findings or found.customers or found.rows == 0


CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "C-1", "C-2", "P-1", "u-1", "consumer", "企业", "2026-03-02", "email", "=1", "1E+9", "a@b.co"]
    ),
)


@given(st.lists(st.lists(CELLS, min_size=len(KNOWN), max_size=len(KNOWN)), max_size=6))
def test_no_table_raises_and_every_finding_names_a_place(rows: list[list[str]]) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([list(KNOWN), *rows])
    found = read_customers(written.getvalue().encode("utf-8", "surrogatepass"))
    assert all(finding.line >= 1 and finding.what and finding.remedy for finding in found.findings)


NAMES = st.from_regex(r"[A-Za-z0-9北京][A-Za-z0-9 ._&北京-]{0,10}[A-Za-z0-9北京]", fullmatch=True).filter(
    lambda name: "E" not in name.upper()
)
DAYS = st.dates(date(1990, 1, 1), date(2030, 1, 1))
PEOPLE = st.builds(
    ListedPerson,
    source=st.sampled_from([None, "zendesk"]),
    requester=st.builds(
        Requester,
        id=NAMES,
        name=st.none() | NAMES,
        email=st.none() | st.just("emily@example.com"),
        phone=st.none() | st.just("+8613800138000"),
    ),
    roles=st.lists(NAMES, max_size=2, unique=True).map(tuple),
    projects=st.just(()),
    consent=st.sampled_from([(), ("email",), ("sms", "call")]),
    line=st.just(0),
)
CUSTOMERS = st.builds(
    ListedCustomer,
    customer=NAMES,
    name=st.none() | NAMES,
    facts=st.builds(
        CustomerFacts,
        tier=st.none() | NAMES,
        segments=st.lists(NAMES, max_size=2, unique=True).map(tuple),
        active_since=st.none() | DAYS,
        figures=st.fixed_dictionaries({}, optional={"revenue": st.floats(-1e9, 1e9).map(lambda x: round(x, 2))}),
    ),
    people=st.lists(PEOPLE, max_size=3, unique_by=lambda each: (each.source, each.id)).map(tuple),
    line=st.just(0),
)


def rows_of(customer: ListedCustomer) -> list[dict[str, Any]]:
    facts = customer.facts
    own = {
        "customer": customer.customer,
        "customer_name": customer.name,
        "tier": facts.tier,
        "segments": ";".join(facts.segments),
        "active_since": facts.active_since,
        "figure:revenue": f"{facts.figures['revenue']:.2f}" if facts.figures else "",
    }
    people = [
        {
            "source": each.source,
            "person": each.requester.id,
            "person_name": each.requester.name,
            "email": each.requester.email,
            "phone": each.requester.phone,
            "roles": ";".join(each.roles),
            "consent": ";".join(each.consent),
        }
        for each in customer.people
    ]
    return [own | person for person in people] or [own]


@given(st.lists(CUSTOMERS, max_size=4, unique_by=lambda each: each.customer), st.sampled_from(",;\t"))
def test_what_was_written_is_read_again(customers: list[ListedCustomer], delimiter: str) -> None:
    belongs = [(person.source, person.id) for customer in customers for person in customer.people]
    written = io.StringIO()
    table = csv.DictWriter(written, [*KNOWN, "figure:revenue"], delimiter=delimiter)
    table.writeheader()
    table.writerows([row for customer in customers for row in rows_of(customer)])
    found = read_customers(written.getvalue().encode())
    if len(set(belongs)) == len(belongs):
        assert found.findings == ()
        assert [
            each._replace(line=0, people=tuple(person._replace(line=0) for person in each.people))
            for each in found.customers
        ] == customers
