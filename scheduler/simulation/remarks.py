"""What a person should look at before he approves a policy, in both languages."""

from collections.abc import Iterator

from scheduler.guarantee import TALKS
from scheduler.policy import AGAIN, CALENDAR, TICKET, steps_of
from scheduler.simulation.outcome import Outcome, Remark
from scheduler.simulation.past import Past
from scheduler.simulation.tally import Decisions
from scheduler.simulation.words import WORDS
from services.contracts.policy import Policy, Survey

NOTABLE = 0.01
"""From which share of all decisions on it a reason to skip is remarked upon."""
HEAVY = 3
"""From how many times the mean of the working days the heaviest one is remarked upon."""

_SKIPPED: dict[str, tuple[str, str]] = {
    "person_limit": (
        "the person was asked often enough: raise limits.per_person, or leave it so and spare them",
        "同一联系人已达调查次数上限：可放宽 limits.per_person，或保持现状以免打扰",
    ),
    "filtered_out": (
        "no survey's `where` or `ask` fits: add a survey for them if they should be asked about",
        "没有任何调查的 where 或 ask 与之相符：如应调查，请增加一项",
    ),
    "no_contact": (
        "nobody is known whom the steps could reach: complete the register, or add channels",
        "没有可联系的人：请补全客户档案，或增加渠道",
    ),
    "too_late": (
        "the promise had passed when it became known: set late: ask, or lengthen send.within",
        "得知时已过承诺时限：可设 late: ask，或延长 send.within",
    ),
}


def remarks_on(policy: Policy, past: Past, outcome: Outcome) -> tuple[Remark, ...]:
    """Every remark on a trial: what is wrong first, then what is worth knowing, and what was assumed."""
    remarks = (
        *_broken(outcome),
        *_unkept(policy, outcome),
        *_skipped(policy, outcome),
        *_heavy(outcome),
        *_silent(policy, past, outcome),
        *_assumed(policy, past),
    )
    return tuple(sorted(remarks, key=lambda each: each.kind != "warning"))


def _warning(en: str, zh: str) -> Remark:
    return Remark(kind="warning", en=en, zh=zh)


def _note(en: str, zh: str) -> Remark:
    return Remark(kind="note", en=en, zh=zh)


def _broken(outcome: Outcome) -> Iterator[Remark]:
    contact, person = outcome.first_contact, outcome.per_person
    if late := contact.owed - contact.in_time:
        yield _warning(
            f"{late} of {contact.owed} first contacts come after their promise: lengthen send.within, or add a channel",
            f"{contact.owed} 次首次联系中有 {late} 次超过承诺时限：请延长 send.within 或增加渠道",
        )
    if outcome.in_quiet_time:
        yield _warning(
            f"{outcome.in_quiet_time} contacts fall into quiet time",
            f"有 {outcome.in_quiet_time} 次联系落在免打扰时段",
        )
    if not person.kept:
        yield _warning(
            f"somebody is asked {person.most} times within the limit's period ({person.limit})",
            f"有人在限额周期内被调查 {person.most} 次（限额 {person.limit}）",
        )


def _unkept(policy: Policy, outcome: Outcome) -> Iterator[Remark]:
    for plan in outcome.plans:
        name = f"{plan.survey} {plan.term}"
        if not plan.ready:
            yield _warning(f"the plan {name} is not approved in time", f"计划 {name} 未按时批准")
        for share in (plan.covers, plan.reached):
            if share is not None and not share.met:
                yield _warning(
                    f"{name} reaches {share.counted} of {share.total} active customers and needs {share.required}:"
                    " enlarge the sample, or add channels",
                    f"{name} 覆盖 {share.total} 家活跃客户中的 {share.counted} 家，需要 {share.required} 家："
                    "请扩大样本或增加渠道",
                )
    for each in outcome.guarantees:
        if not each.followed_up.met:
            en, zh = _remedy(policy.surveys[each.survey])
            yield _warning(
                f"{each.survey} follows up {each.followed_up.counted} of {each.followed_up.total} cases of {each.term}"
                f" and needs {each.followed_up.required}: {en}",
                f"{each.survey} 在 {each.term} 回访 {each.followed_up.total} 件中的 {each.followed_up.counted} 件，"
                f"需要 {each.followed_up.required} 件：{zh}",
            )


def _remedy(survey: Survey) -> tuple[str, str]:
    """What brings more cases of a guarantee to be followed up."""
    if survey.share < 1:
        return "raise `share`, or lengthen send.within", "请提高 share 或延长 send.within"
    if TALKS.isdisjoint(step.channel for step in steps_of(survey)):
        return "add a call or a visit for who does not answer", "请为未答复者增加电话或走访"
    return "lengthen send.within or `expires`, or ask more channels", "请延长 send.within 或 expires，或增加渠道"


def _skipped(policy: Policy, outcome: Outcome) -> Iterator[Remark]:
    kinds = {survey.on for survey in policy.surveys.values()}
    for on in sorted({each.on for each in outcome.decisions}):
        if on not in (*kinds, CALENDAR, AGAIN) and "occasion" not in kinds:
            yield _note(f"no survey is about “{on}”", f"没有任何调查针对“{WORDS.get(on, on)}”")
            continue
        total = sum(each.count for each in outcome.decisions if each.on == on)
        for each in outcome.decisions:
            if each.on == on and each.reason in _SKIPPED and each.count >= NOTABLE * total:
                yield _left_out(each, total)


def _left_out(each: Decisions, total: int) -> Remark:
    en, zh = _SKIPPED[each.reason]
    share = f"{100 * each.count / total:.1f} %"
    return _warning(
        f"“{each.on}”: {each.count} of {total} decisions ({share}) skip because {en}",
        f"“{WORDS.get(each.on, each.on)}”：{total} 项决定中有 {each.count} 项（{share}）未调查，因为{zh}",
    )


def _heavy(outcome: Outcome) -> Iterator[Remark]:
    names = {"call": "电话", "visit": "走访"}
    for load in outcome.days:
        if load.kind in names and load.most > max(HEAVY, HEAVY * load.mean):
            yield _note(
                f"{load.most} {load.kind}s on the heaviest day ({load.most_on}), {load.mean:g} on a usual working day",
                f"{names[load.kind]}最多的一天为 {load.most} 次（{load.most_on}），工作日平均 {load.mean:g} 次",
            )


def _silent(policy: Policy, past: Past, outcome: Outcome) -> Iterator[Remark]:
    """Surveys that asked nobody, with the likely cause."""
    kinds = {event.closing.on for event in past.events}
    for each in outcome.surveys:
        on = policy.surveys[each.name].on
        if each.surveys:
            continue
        if on is None and not any(plan.survey == each.name for plan in outcome.plans):
            cause = ("it does not open in the days played", "试行期间未到开始时间")
        elif on is None:
            cause = ("the register holds nobody whom it means", "客户档案中没有符合条件的人")
        elif on not in kinds and on != "occasion":
            cause = (f"the files hold no event “{on}”", f"文件中没有事件“{WORDS.get(on, on)}”")
        else:
            cause = ("other surveys, filters or limits come first", "其他调查、筛选条件或限额优先")
        yield _note(f"survey {each.name} asked nobody: {cause[0]}", f"调查 {each.name} 未询问任何人：{cause[1]}")


def _assumed(policy: Policy, past: Past) -> Iterator[Remark]:
    if past.assumed:
        yield _note(
            f"of {past.assumed} people the files tell no address: they are taken to have mail, SMS and telephone",
            f"有 {past.assumed} 人在文件中没有联系方式：按邮件、短信和电话均可联系处理",
        )
    if past.derived and any(survey.planned for survey in policy.surveys.values()):
        yield _note(
            "no register was given: customers were taken from the tickets, without tier, size or region",
            "未提供客户档案：客户取自工单，没有等级、规模和地区",
        )
    if not any(event.closing.on == TICKET for event in past.events):
        yield _note("no tickets were played", "没有工单")
