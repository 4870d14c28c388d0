"""What `huifang up` says in the terminal: where to click, where the keys are, how to stop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from services.clock import Clock, FastClock
from services.embedded.sample import SAMPLE_SPEED

NAME_CELLS = 12
PLACE_CELLS = 48

Language = Literal["zh", "en"]

FIRST_MESSAGE_SECONDS = 2 * 3600 / SAMPLE_SPEED
REMINDER_SECONDS = 26 * 3600 / SAMPLE_SPEED
"""When the sample's first messages and reminders come, at its own speed and by the policy of the product."""

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "up": "Huifang is up.",
        "fast": "Time runs {speed:g} times as fast; in here it is {now:%Y-%m-%d %H:%M}.",
        "mailbox": "Mailbox",
        "mailbox_note": "what customers would have received",
        "docs": "REST",
        "docs_note": "in a browser: any name, the admin key as password",
        "metrics": "Metrics",
        "metrics_note": "for Prometheus",
        "key": "Admin key",
        "key_note": "Authorization: Bearer …",
        "sources": "Sources",
        "sources_note": "signing secrets for POST /hooks/{source}",
        "playing": "The sample plays: first messages after {first:.0f} s, reminders after {reminder:.0f} s.",
        "hint": "Nothing there yet? `huifang up --sample` plays some closed tickets.",
        "stop": "Ctrl-C stops; the next start goes on where this one was.",
        "survey": "First survey",
    },
    "zh": {
        "up": "回访已启动。",
        "fast": "时间按 {speed:g} 倍速流逝，业务时间为 {now:%Y-%m-%d %H:%M}。",
        "mailbox": "收件箱",
        "mailbox_note": "客户本应收到的消息",
        "docs": "REST 接口",
        "docs_note": "浏览器访问：用户名任意，密码为管理员密钥",
        "metrics": "指标",
        "metrics_note": "供 Prometheus 抓取",
        "key": "管理员密钥",
        "key_note": "Authorization: Bearer …",
        "sources": "工单来源",
        "sources_note": "POST /hooks/{source} 的签名密钥",
        "playing": "正在播放示例：约 {first:.0f} 秒后出现首批消息，约 {reminder:.0f} 秒后出现提醒。",
        "hint": "还没有消息？`huifang up --sample` 会播放一组已关闭的工单。",
        "stop": "按 Ctrl-C 停止；下次启动会从这里继续。",
        "survey": "第一份问卷",
    },
}


class Greeter(NamedTuple):
    """Speaks to the person at the terminal, in one language."""

    console: Console
    language: Language

    def welcome(self, address: str, folder: Path, clock: Clock, *, sample: bool) -> None:
        """Says once where everything is."""
        say = WORDS[self.language]
        self.console.print()
        self.console.print(Text(f"  {say['up']}", style="bold green"))
        if isinstance(clock, FastClock):
            self._line(say["fast"].format(speed=clock.speed, now=clock.now().astimezone()))
        self.console.print()
        places = (
            ("mailbox", f"{address}/mailbox"),
            ("docs", f"{address}/docs"),
            ("metrics", f"{address}/metrics"),
            ("key", str(folder / "admin.key")),
            ("sources", str(folder / "sources")),
        )
        cells = min(PLACE_CELLS, max(cell_len(place) for _, place in places))
        for name, place in places:
            self._place(say[name], place + " " * (cells - cell_len(place)), say[f"{name}_note"])
        self.console.print()
        if sample:
            self._line(say["playing"].format(first=FIRST_MESSAGE_SECONDS, reminder=REMINDER_SECONDS))
        else:
            self._line(say["hint"])
        self._line(say["stop"])
        self.console.print()

    def survey(self, link: str) -> None:
        """Says where the first survey waits."""
        self._place(WORDS[self.language]["survey"], link, "")

    def _place(self, name: str, place: str, note: str) -> None:
        """A line of three columns, however many cells the characters take."""
        line = Text(f"  {set_cell_size(name, NAME_CELLS)}  ")
        line.append(place, style="cyan")
        line.append(f"   {note}" if note else "", style="dim")
        self.console.print(line)

    def _line(self, text: str) -> None:
        self.console.print(Text(f"  {text}"))


def greeter(environment: Mapping[str, str], output: TextIO) -> Greeter:
    """A greeter in the terminal's language. Lines stay as long as they are: a link that is cut cannot be clicked."""
    console = Console(file=output, soft_wrap=True, highlight=False)
    return Greeter(console, language_of(environment))


def language_of(environment: Mapping[str, str]) -> Language:
    """Chinese where the locale is Chinese, English otherwise."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "en"
