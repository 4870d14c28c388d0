"""What one survey asks: a questionnaire whole, or only the items that the survey names. Pure."""

from collections.abc import Collection

from services.contracts.questionnaire import Item, Questionnaire


def narrowed(questionnaire: Questionnaire, items: Collection[str]) -> Questionnaire:
    """The questionnaire as a survey asks it; without items, or with none that it knows, it is asked whole.

    Beside the items named, open questions stay that depend on nothing outside them. A named item is asked whatever it
    depended on: conditions on items that are not asked any more are dropped.
    """
    wanted = {item.id for item in questionnaire.items} & set(items)
    if not wanted:
        return questionnaire
    kept: list[Item] = []
    asked: set[str] = set()
    for item in questionnaire.items:
        if item.id in wanted or (item.kind == "text" and asked.issuperset(item.ask_when)):
            kept.append(_freed(item, asked))
            asked.add(item.id)
    return questionnaire.model_copy(update={"items": tuple(kept)})


def _freed(item: Item, asked: Collection[str]) -> Item:
    """The item with the conditions that can still come true."""
    return item.model_copy(update={"ask_when": {name: of for name, of in item.ask_when.items() if name in asked}})
