"""Needs 21, 23, 24 and 25: whose jobs are whose, what is fetched, what is offered, and who may make it."""

import socket

import pytest

from framegate.config.loading import load
from framegate.config.settings import SettingsInvalid
from support.studio import FAILED, Studio
from support.studio_client import Client, image

ELSEWHERE = [
    "http://127.0.0.1:{port}/secret.png",
    "http://[::ffff:127.0.0.1]:{port}/secret.png",
    "http://2130706433:{port}/secret.png",
    "http://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
]
SERVICE = '[[accounts]]\nprovider = "{name}"\napi_key = "sk-x"\nbase_url = "https://videos.example/v1"\n'


def test_21_a_server_of_openrouters_shape_is_added_by_its_address_alone(client: Client, service: Studio):
    job = client.made("take-by-address")
    (order,) = service.taken("take-by-address")

    assert (job["status"], job["provider"]) == ("completed", "openrouter")
    assert (order.path, order.key) == ("/api/v1/videos", "sk-studio"), "as the framegate.toml says, and no more"
    assert "/api/v1/videos/models" in service.asked, "the limits and prices are read from what it lists"


def test_21_a_model_that_nobody_here_knew_is_added_by_a_row(client: Client, service: Studio):
    job = client.made("take-unheard-of", model="studio/unheard-of")
    (order,) = service.taken("take-unheard-of")

    assert (job["status"], order.body["model"]) == ("completed", "studio/unheard-of-1")
    assert job["estimate"]["usd"] == 0.01
    assert client.problems("take-too-long", model="studio/unheard-of", duration=9).keys() == {"duration_unsupported"}


def test_21_a_service_of_a_shape_of_its_own_needs_an_adapter_and_is_refused_without(tmp_path):
    (tmp_path / "framegate.toml").write_text(SERVICE.format(name="brandnew"))

    with pytest.raises(SettingsInvalid, match=r"must be one of openrouter.*; there is no provider 'brandnew'"):
        load({}, file=tmp_path / "framegate.toml")


def test_23_anothers_job_and_file_are_unknown(clients: dict[str, Client], service: Studio, pixel: str):
    mine, theirs = clients["acme"].http, clients["other"].http
    job = clients["acme"].made("take-mine")
    path = f"/videos/{job['id']}"
    nobodys = job["id"][:-4] + "0000"

    for method, rest in [("GET", ""), ("GET", "/content"), ("GET", "/events"), ("GET", "/bill"), ("GET", "/report")]:
        answer = theirs.request(method, path + rest)
        assert answer.status_code == 404
        assert answer.text == theirs.request(method, f"/videos/{nobodys}{rest}").text.replace(nobodys, job["id"])
    assert [theirs.post(path + "/cancel").status_code, theirs.delete(path).status_code] == [404, 404]
    assert job["id"] not in [one["id"] for one in theirs.get("/videos").json()["data"]]
    assert clients["other"].create("take-theirs", input_references=[image(pixel)]).status_code == 400
    assert service.taken("take-theirs") == []
    assert mine.get(path + "/content").status_code == 200


@pytest.mark.parametrize("url", ELSEWHERE)
def test_24_no_address_of_this_machine_or_its_network_is_fetched_for_a_client(
    url: str, client: Client, service: Studio
):
    reference = image(url.format(port=service.url.rpartition(":")[2]))
    (code,) = client.problems("take-inside", input_references=[reference])

    assert code in ("reference_private_address", "reference_bad_url")
    assert "/secret.png" not in service.asked
    assert service.taken("take-inside") == []


def test_24_a_name_of_this_machine_is_refused_before_there_is_a_job(client: Client, service: Studio):
    reference = image(f"http://localhost:{service.url.rpartition(':')[2]}/secret.png")
    (code,) = client.problems("take-by-name", input_references=[reference])

    assert code == "reference_private_address"
    assert "/secret.png" not in service.asked
    assert service.taken("take-by-name") == []


def test_24_no_webhook_is_sent_into_the_network(client: Client, service: Studio):
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.setblocking(False)
        address = f"127.0.0.1:{inside.getsockname()[1]}/hook"
        refused = client.create("take-called", callback_url=f"https://{address}")

        assert client.create("take-called", callback_url=f"http://{address}").status_code == 400
        assert refused.status_code == 400
        assert "points to a loopback address. Only public addresses are allowed" in refused.text
        assert service.taken("take-called") == []
        with pytest.raises(BlockingIOError):
            inside.accept()


def test_25_a_model_that_is_gone_is_refused_with_what_there_is_instead(client: Client, service: Studio):
    gone = client.problems("take-gone", model="openai/sora-2", duration=4, resolution=None)["model_ended"]

    assert gone["allowed"]
    listed = [model["id"] for model in client.http.get("/videos/models").json()["data"]]
    assert "openai/sora-2" not in listed
    assert set(gone["allowed"]) <= set(listed)
    assert service.taken("take-gone") == []


def test_25_a_fall_back_makes_the_video_in_the_place_of_a_model_that_is_gone(client: Client, service: Studio):
    service.plan("take-instead", looks=[FAILED])
    job = client.made("take-instead", model="openai/sora-2", models=["x-ai/grok-imagine-video"])

    assert job["model"] == "x-ai/grok-imagine-video"
    assert [order.body["model"] for order in service.taken("take-instead")] == ["x-ai/grok-imagine-video"]
