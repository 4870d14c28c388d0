"""Questionnaires that several tests ask."""

from services.contracts.policy import Policy
from services.contracts.questionnaire import Item, Option, Questionnaire, ScaleName, Words


def words(text: str) -> Words:
    return Words(zh=f"{text}（中）", en=text)


def scale(id: str, name: ScaleName = "likert5", **more: object) -> Item:
    return Item.model_validate({"id": id, "text": words(f"How was {id}?"), "scale": name, **more})


def text(id: str, **more: object) -> Item:
    return Item.model_validate({"id": id, "kind": "text", "text": words(f"Tell us about {id}."), **more})


def yesno(id: str, **more: object) -> Item:
    return Item.model_validate({"id": id, "kind": "yesno", "text": words(f"Did {id} work?"), **more})


def choice(id: str, *options: str, several: bool = False, **more: object) -> Item:
    chosen = tuple(Option(id=option, text=words(option)) for option in options)
    kind = "choices" if several else "choice"
    return Item.model_validate({"id": id, "kind": kind, "text": words(f"Which {id}?"), "options": chosen, **more})


def questionnaire(*items: Item) -> Questionnaire:
    return Questionnaire(title=words("How did we do?"), purpose=words("Your answers stay confidential."), items=items)


EVERY_KIND = questionnaire(
    scale("overall", overall=True, required=True),
    text("reason", required=True, ask_when={"overall": (1, 2)}),
    scale("speed", "faces", na=True),
    scale("attitude", "stars"),
    scale("skill", "ten-bands", na=True),
    scale("quality", "quality5"),
    scale("worth", "ten"),
    scale("friend", "nps"),
    scale("effort", "ces"),
    yesno("solved"),
    choice("channel", "phone", "mail", "visit"),
    choice("topics", "speed", "price", "manner", several=True),
    text("price", ask_when={"topics": ("price",)}),
    text("comment"),
)


def policy(asked: Questionnaire = EVERY_KIND, **more: object) -> Policy:
    """A policy that asks one questionnaire, `incident`, in a survey of the same name."""
    return Policy.model_validate(
        {
            "policy": "test",
            "title": words("Test policy"),
            "approval": {"author": "A", "reviewer": "B", "approver": "C", "effective": "2026-01-01"},
            "calendar": {"timezone": "Asia/Shanghai", "holidays": "CN"},
            "questionnaires": {"incident": asked},
            "surveys": {
                "incident": {
                    "on": "ticket closed",
                    "questionnaire": "incident",
                    "send": {"within": "2d"},
                    "steps": [{"first": ("sms", "email")}],
                }
            },
            **more,
        }
    )
