"""A path that leads nowhere is answered in the format of the API below which it lies, whatever its characters."""

import pytest
from starlette.testclient import TestClient

KEYS = {"/api/v1": "error", "/phaseo/v1": "reason", "/pictory": "code", "/fal/queue": "detail"}


@pytest.mark.parametrize("mount", KEYS)
@pytest.mark.parametrize("path", ["nothing-there", "a%0Ab", "videos/%C2%B9%0A/cancel", "%23%13"])
def test_an_unknown_path_is_answered_in_the_format_of_its_api(sandbox: TestClient, mount: str, path: str):
    answer = sandbox.get(f"{mount}/{path}")

    assert answer.status_code in (404, 405)
    assert KEYS[mount] in answer.json()
