import pytest

from tests.scoring.api.reading import SHORT
from tests.scoring.questionnaires import policy
from tests.scoring.stage import Stage, approved


@pytest.fixture
async def short(stage: Stage) -> Stage:
    """A stage with a questionnaire of three items."""
    await stage.hear(approved(policy(SHORT, policy="short")))
    return stage
