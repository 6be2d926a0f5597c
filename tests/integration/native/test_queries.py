"""A query parameter that nothing here reads: refused on our own routes, left alone on OpenRouter's."""

import pytest

JOB = "0190a000-0000-7000-8000-00000000ffff"


@pytest.mark.parametrize(
    ("address", "there", "nearest"),
    [
        ("videos?models=x", ["limit", "after", "status", "model", "held"], "model"),
        ("spend?form=2026-11-01", ["by", "since", "until"], None),
        (f"videos/{JOB}/events?afterr=3", ["after"], "after"),
        (f"videos/{JOB}/report?full=1", [], None),
        (f"videos/{JOB}/bill?full=1", [], None),
    ],
)
def test_an_unknown_query_parameter_of_our_own_routes_is_refused_with_those_that_there_are(
    gateway, address, there, nearest
):
    answer = gateway.get(f"/{address}")
    [problem] = answer.json()["error"]["metadata"]["problems"]
    assert (answer.status_code, problem["code"]) == (400, "invalid_parameter")
    assert (problem["allowed"], problem.get("nearest")) == (there, nearest)
    assert problem["pointer"] == "/" + address.partition("?")[2].partition("=")[0]


def test_the_known_parameters_of_our_own_routes_are_taken_together_and_again_and_again(gateway):
    assert gateway.get("/videos?limit=1&status=pending&status=completed&model=google/veo-3.1").status_code == 200
    assert gateway.get("/spend?by=day&since=2026-11-01&until=2026-11-02").status_code == 200


@pytest.mark.parametrize("address", ["videos/models", f"videos/{JOB}", f"videos/{JOB}/content"])
def test_an_unknown_query_parameter_of_openrouters_routes_is_left_alone(gateway, address):
    plain, more = (gateway.get(f"/{address}{query}") for query in ("", "?debug=1"))
    assert (plain.status_code, plain.json()) == (more.status_code, more.json())
